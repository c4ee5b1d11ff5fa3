import { parser } from './parse'

/** What a stream tells whoever listens. */
export interface Listener {
  event(type: string, data: unknown): void
  /** Bytes arrived: the line is alive. */
  alive(): void
  /** Contact was lost or never made; a new attempt follows. */
  lost(): void
}

export interface StreamOptions {
  url: string
  fetch: typeof fetch
  /** Silence after which the line counts as dead, ms. The server sends a comment every 15 s. */
  silence?: number
  /** Pauses between attempts, ms; the last one repeats. */
  pauses?: readonly number[]
  random?: () => number
}

const defaultPauses = [500, 1_000, 2_000, 5_000, 10_000, 15_000]

/**
 * openStream reads the event stream until close is called, and connects again
 * whenever it ends. It uses fetch and not EventSource, because EventSource hides
 * the heartbeat: a laptop that wakes up would call a dead line live for minutes.
 */
export function openStream(o: StreamOptions, to: Listener): { close(): void; retryNow(): void } {
  const pauses = o.pauses ?? defaultPauses
  const silence = o.silence ?? 40_000
  let attempt = 0
  let closed = false
  let abort = new AbortController()
  let wake: () => void = () => {}

  async function once(): Promise<void> {
    abort = new AbortController()
    let watchdog = setTimeout(() => abort.abort(), silence)
    try {
      const answer = await o.fetch(o.url, {
        headers: { Accept: 'text/event-stream' }, cache: 'no-store', credentials: 'same-origin', signal: abort.signal,
      })
      if (!answer.ok || !answer.body) throw new Error(`event stream: HTTP ${answer.status}`)
      const feed = parser((b) => {
        attempt = 0
        deliver(b.event, b.data)
      })
      const reader = answer.body.getReader()
      const decoder = new TextDecoder()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        clearTimeout(watchdog)
        watchdog = setTimeout(() => abort.abort(), silence)
        to.alive()
        feed(decoder.decode(value, { stream: true }))
      }
    } finally {
      clearTimeout(watchdog)
    }
  }

  function deliver(type: string, data: string): void {
    let value: unknown
    try {
      value = data === '' ? null : JSON.parse(data)
    } catch {
      console.warn(`event stream: ${type} is not JSON`)
      return
    }
    to.event(type, value)
  }

  async function run(): Promise<void> {
    while (!closed) {
      await once().catch(() => {})
      if (closed) return
      to.lost()
      const pause = pauses[Math.min(attempt++, pauses.length - 1)]!
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pause * (0.75 + (o.random ?? Math.random)() / 2))
        wake = () => { clearTimeout(timer); resolve() }
      })
    }
  }

  void run()
  return {
    close() {
      closed = true
      abort.abort()
      wake()
    },
    retryNow: () => wake(),
  }
}
