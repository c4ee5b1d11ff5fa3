// Draws the icon for those who take no SVG: node tools/icons.mjs, after public/icon.svg
// has changed. What systems cut into shape themselves has no corners of its own.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const folder = fileURLToPath(new URL('../public/', import.meta.url))
const svg = await readFile(`${folder}icon.svg`, 'utf8')
const square = svg.replace(' rx="14"', '')
if (square === svg) throw new Error('the ground of icon.svg has no rx="14" any more')

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] })
for (const [name, size, source] of [['icon-192', 192, svg], ['icon-512', 512, svg], ['icon-maskable-512', 512, square], ['apple-touch-icon', 180, square]]) {
  const page = await browser.newPage({ viewport: { width: size, height: size } })
  await page.setContent(`<style>body{margin:0}svg{display:block;width:100vw;height:100vh}</style>${source}`)
  await page.screenshot({ path: `${folder}${name}.png`, omitBackground: true })
  await page.close()
}
await browser.close()
