// What a browser must fetch before the overview lives, against what it may cost
// on a slow phone: at most 45 KB of brotli in at most 6 requests.
import { readdir, readFile, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const limit = { bytes: 45_000, requests: 6 }
const dist = fileURLToPath(new URL('../dist/', import.meta.url))

const size = async (file) => (await stat(`${dist}${file}.br`).catch(() => stat(`${dist}${file}`))).size
const imports = (js) => [...js.matchAll(/(?:from|import)\s*["']\.\/([^"']+\.js)["']/g)].map((m) => `assets/${m[1]}`)

async function withImports(entries) {
  const seen = new Set()
  const queue = [...entries]
  while (queue.length) {
    const file = queue.pop()
    if (seen.has(file)) continue
    seen.add(file)
    queue.push(...imports(await readFile(dist + file, 'utf8')))
  }
  return seen
}

const html = await readFile(`${dist}index.html`, 'utf8')
const linked = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map((m) => m[1])
const lazy = (await readdir(`${dist}assets`)).filter((f) => /^zh-.*\.js$/.test(f)).map((f) => `assets/${f}`)
const scripts = await withImports([...linked.filter((f) => f.endsWith('.js')), ...lazy])
const files = ['index.html', ...scripts, ...linked.filter((f) => f.endsWith('.css'))]

let total = 0
for (const f of files) {
  const bytes = await size(f)
  total += bytes
  console.log(`${String(bytes).padStart(7)} B  ${f}`)
}
console.log(`${String(total).padStart(7)} B  in ${files.length} requests; allowed ${limit.bytes} B in ${limit.requests}`)
if (lazy.length !== 1) throw new Error('the Chinese words were not found: has the build changed?')
if (total > limit.bytes || files.length > limit.requests) process.exit(1)
