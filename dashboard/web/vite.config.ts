import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { keepGitkeep, precompress, serviceWorker } from './tools/plugins.ts'

export default defineConfig({
  plugins: [vue(), serviceWorker('sw/sw.ts'), precompress(), keepGitkeep()],
  build: {
    target: ['chrome97', 'safari16.4', 'firefox102'],
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        // What the first screen needs is one file; left alone it would be eight.
        codeSplitting: { groups: [{ name: 'app', tags: ['$initial'] }] },
        // It names all others, and hashes cannot be compressed: six characters are enough.
        entryFileNames: 'assets/[name]-[hash:6].js',
        chunkFileNames: 'assets/[name]-[hash:6].js',
        assetFileNames: 'assets/[name]-[hash:6][extname]',
      },
    },
  },
  define: { __VUE_OPTIONS_API__: false, __VUE_PROD_DEVTOOLS__: false },
  server: { proxy: { '/api': 'http://127.0.0.1:8080' } },
  test: { environment: 'happy-dom', include: ['test/**/*.test.ts'] },
})
