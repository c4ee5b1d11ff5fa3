import type { Text } from './types'

/** The server answered, and said no. */
export class ApiError extends Error {
  declare readonly status: number
  declare readonly code: string
  declare readonly text: Text
  declare readonly field: string | undefined

  constructor(status: number, code: string, text: Text, field?: string) {
    super(`${status} ${code}: ${text.en}`)
    this.status = status
    this.code = code
    this.text = text
    this.field = field
  }
}

/** Nobody answered: no network, no server, or it took too long. */
export class Unreachable extends Error {}

export interface Client {
  get<T>(path: string, signal?: AbortSignal): Promise<T>
  send<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T>
}

const answerWithin = 20_000
const uploadWithin = 120_000

/** createClient speaks docs/api.md over fetch; onSignedOut is called on each 401 of an ended session. */
export function createClient(fetcher: typeof fetch, onSignedOut: () => void = () => {}): Client {
  async function call<T>(path: string, init: RequestInit, limit: number): Promise<T> {
    const answer = await reach(fetcher, path, init, limit)
    if (answer.ok) return answer.status === 204 ? (undefined as T) : ((await answer.json()) as T)
    const error = await refusal(answer)
    if (error.code === 'signed_out') onSignedOut()
    throw error
  }
  return {
    get: (path, signal) => call(path, { signal, headers: { Accept: 'application/json' } }, answerWithin),
    send(method, path, body) {
      const form = body instanceof FormData
      const headers: Record<string, string> = { Accept: 'application/json', 'X-Gengfu': '1' }
      if (body !== undefined && !form) headers['Content-Type'] = 'application/json'
      const payload = body === undefined ? undefined : form ? body : JSON.stringify(body)
      return call(path, { method, headers, body: payload }, form ? uploadWithin : answerWithin)
    },
  }
}

async function reach(fetcher: typeof fetch, path: string, init: RequestInit, limit: number): Promise<Response> {
  const outer = init.signal
  const own = new AbortController()
  const give = () => own.abort()
  const timer = setTimeout(give, limit)
  outer?.addEventListener('abort', give)
  try {
    return await fetcher(path, { ...init, signal: own.signal, credentials: 'same-origin' })
  } catch (cause) {
    if (outer?.aborted) throw cause
    throw new Unreachable(`${init.method ?? 'GET'} ${path}: no answer`, { cause })
  } finally {
    clearTimeout(timer)
    outer?.removeEventListener('abort', give)
  }
}

async function refusal(answer: Response): Promise<ApiError> {
  const said = await answer.json().catch(() => null) as { error?: { code?: string; message?: Text; field?: string } } | null
  const plain = `HTTP ${answer.status}`
  const code = said?.error?.code ?? (answer.status === 401 ? 'signed_out' : 'internal')
  return new ApiError(answer.status, code, said?.error?.message ?? { zh: plain, en: plain }, said?.error?.field)
}

/** query writes the parameters that have a value: query('/a', {x: 1, y: ''}) is '/a?x=1'. */
export function query(path: string, params: Record<string, string | number | null | undefined>): string {
  const q = new URLSearchParams()
  for (const [k, v] of Object.entries(params)) if (v !== undefined && v !== null && v !== '') q.set(k, String(v))
  const s = q.toString()
  return s ? `${path}?${s}` : path
}
