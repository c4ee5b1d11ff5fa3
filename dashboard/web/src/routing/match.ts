// Addresses of the app: patterns of words and ":name" parameters, "?" for one that may be missing.

export type Query = Record<string, string>
export type Params = Record<string, string>

/** matchPath reads the parameters of an address, or null when the pattern is another one's. */
export function matchPath(pattern: string, path: string): Params | null {
  const want = split(pattern)
  const have = split(path)
  if (have.length > want.length) return null
  const params: Params = {}
  for (const [i, w] of want.entries()) {
    const h = have[i]
    if (!w.startsWith(':')) {
      if (w !== h) return null
      continue
    }
    if (h === undefined && !w.endsWith('?')) return null
    const value = h === undefined ? '' : decode(h)
    if (value === null) return null
    params[w.replace(/^:|\?$/g, '')] = value
  }
  return params
}

/** writePath fills a pattern in. */
export function writePath(pattern: string, params: Params): string {
  const words = split(pattern).map((w) => (w.startsWith(':') ? encodeURIComponent(params[w.replace(/^:|\?$/g, '')] ?? '') : w))
  return `/${words.filter(Boolean).join('/')}`
}

/** readQuery takes the last of parameters with the same name; one without a value is "". */
export function readQuery(search: string): Query {
  return Object.fromEntries(new URLSearchParams(search))
}

/** writeQuery leaves out what is undefined, and writes what is empty as a bare word. */
export function writeQuery(query: Record<string, string | undefined>): string {
  const parts = Object.entries(query).filter(([, v]) => v !== undefined)
    .map(([k, v]) => (v ? `${encodeURIComponent(k)}=${encodeURIComponent(v)}` : encodeURIComponent(k)))
  return parts.length ? `?${parts.join('&')}` : ''
}

function split(path: string): string[] {
  return path.split('/').filter(Boolean)
}

function decode(word: string): string | null {
  try { return decodeURIComponent(word) } catch { return null }
}
