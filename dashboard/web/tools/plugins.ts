import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { build, type Plugin, type ResolvedConfig } from 'vite'

/** The files of a folder, as addresses: "assets/index-1a2b.js". */
async function list(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  return entries.filter((e) => e.isFile()).map((e) => relative(dir, join(e.parentPath, e.name)).replaceAll('\\', '/')).sort()
}

/** serviceWorker builds the worker by itself as sw.js, and tells it which files make up the app. */
export function serviceWorker(entry: string): Plugin {
  let config: ResolvedConfig
  return {
    name: 'gengfu-service-worker',
    apply: 'build',
    configResolved(c) { config = c },
    closeBundle: {
      sequential: true,
      order: 'post',
      async handler() {
        const dir = join(config.root, config.build.outDir)
        const files = (await list(dir)).filter((f) => /\.(js|css|svg|webmanifest)$/.test(f) && f !== 'sw.js')
        const hash = createHash('sha256')
        for (const f of [...files, 'index.html']) hash.update(f).update(await readFile(join(dir, f)))
        await build({
          configFile: false,
          root: config.root,
          publicDir: false,
          logLevel: 'warn',
          define: {
            __SHELL__: JSON.stringify(['/', ...files.map((f) => `/${f}`)]),
            __SHELL_VERSION__: JSON.stringify(hash.digest('hex').slice(0, 12)),
          },
          build: {
            target: config.build.target,
            emptyOutDir: false,
            modulePreload: false,
            reportCompressedSize: false,
            rollupOptions: { input: entry, output: { format: 'iife', entryFileNames: 'sw.js' } },
          },
        })
      },
    },
  }
}

const text = /\.(html|js|css|svg|json|webmanifest|txt)$/
// Below this the headers of a compressed answer cost what it saves.
const smallest = 256

/** precompress puts x.br and x.gz beside each text file x, because the server compresses nothing itself. */
export function precompress(): Plugin {
  let dir = ''
  return {
    name: 'gengfu-precompress',
    apply: 'build',
    configResolved(c) { dir = join(c.root, c.build.outDir) },
    closeBundle: {
      sequential: true,
      order: 'post',
      async handler() {
        for (const f of (await list(dir)).filter((x) => text.test(x))) {
          const content = await readFile(join(dir, f))
          if (content.length < smallest) continue
          const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }
          await writeFile(join(dir, `${f}.br`), brotliCompressSync(content, options))
          await writeFile(join(dir, `${f}.gz`), gzipSync(content, { level: 9 }))
        }
      },
    },
  }
}

/** keepGitkeep restores the file that keeps the folder in the repository, so that Go can embed it before any build. */
export function keepGitkeep(): Plugin {
  let dir = ''
  return {
    name: 'gengfu-keep-gitkeep',
    apply: 'build',
    configResolved(c) { dir = join(c.root, c.build.outDir) },
    closeBundle: { sequential: true, order: 'post', handler: () => writeFile(join(dir, '.gitkeep'), '') },
  }
}
