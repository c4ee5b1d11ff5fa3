import { shallowReactive } from 'vue'
import type { LiveEvent, LiveEvents } from '../api/types'
import type { Listener } from './stream'

/** What tabs tell each other. */
type Note =
  | { kind: 'event'; type: string; data: unknown }
  | { kind: 'status'; live: boolean; since: number | null }
  | { kind: 'beat' }
  | { kind: 'who' }

export interface Channel {
  postMessage(note: unknown): void
  onmessage: ((e: MessageEvent) => void) | null
  close(): void
}

export interface LiveOptions {
  /** Opens the stream of this browser. */
  open(to: Listener): { close(): void; retryNow(): void }
  /** Between the tabs; without both, this tab keeps a stream of its own. */
  channel?: () => Channel
  locks?: Pick<LockManager, 'request'>
  now?: () => number
  visible?: () => boolean
  /** How long a tab believes a leader that says nothing, ms. */
  patience?: number
}

export interface LiveStatus {
  live: boolean
  /** When contact was lost, ms; null while live or before the first contact. */
  since: number | null
}

type Handler<E extends LiveEvent> = (data: LiveEvents[E]) => void

export interface Live {
  readonly status: LiveStatus
  on<E extends LiveEvent>(type: E, handler: Handler<E>): () => void
  start(): void
  stop(): void
  retryNow(): void
}

/**
 * createLive gives every tab the events of one stream. One tab, the leader, holds
 * the stream and a lock; when it goes the lock passes on. A leader that falls
 * silent (a frozen background tab) is replaced by a visible one.
 */
export function createLive(o: LiveOptions): Live {
  const now = o.now ?? Date.now
  const patience = o.patience ?? 45_000
  const visible = o.visible ?? (() => document.visibilityState === 'visible')
  const status = shallowReactive<LiveStatus>({ live: false, since: null })
  const handlers = new Map<string, Set<(data: never) => void>>()

  let channel: Channel | undefined
  let stream: ReturnType<LiveOptions['open']> | undefined
  let release: (() => void) | undefined
  let quit: AbortController | undefined
  let watch: ReturnType<typeof setInterval> | undefined
  let heard = 0

  function emit(type: string, data: unknown): void {
    for (const handler of handlers.get(type) ?? []) handler(data as never)
  }

  function set(live: boolean, since: number | null): void {
    status.live = live
    status.since = since
  }

  function tell(note: Note): void {
    channel?.postMessage(note)
  }

  function found(): void {
    if (status.live) return
    set(true, null)
    tell({ kind: 'status', live: true, since: null })
  }

  function lead(): void {
    if (stream) return
    stream = o.open({
      event(type, data) {
        found()
        tell({ kind: 'event', type, data })
        emit(type, data)
      },
      alive() {
        tell({ kind: 'beat' })
      },
      lost() {
        set(false, status.since ?? now())
        tell({ kind: 'status', live: false, since: status.since })
      },
    })
  }

  function stepDown(): void {
    stream?.close()
    stream = undefined
    release?.()
    release = undefined
  }

  function listen(note: Note): void {
    heard = now()
    if (note.kind === 'who') {
      if (stream) tell({ kind: 'status', live: status.live, since: status.since })
      return
    }
    if (stream) return
    if (note.kind === 'status') set(note.live, note.since)
    else if (note.kind === 'event') {
      set(true, null)
      emit(note.type, note.data)
    }
  }

  function stand(steal: boolean): void {
    const signal = steal ? undefined : quit!.signal
    const mine = quit
    void o.locks!
      .request('gengfu-live', steal ? { steal } : { signal }, () => new Promise<void>((resolve) => {
        if (mine !== quit) return resolve()
        release = resolve
        lead()
      }))
      .catch(() => {
        // Another tab took over, or this one stopped.
        if (mine !== quit) return
        stream?.close()
        stream = undefined
        stand(false)
      })
  }

  return {
    status,
    on(type, handler) {
      const set = handlers.get(type) ?? new Set()
      handlers.set(type, set.add(handler as (data: never) => void))
      return () => set.delete(handler as (data: never) => void)
    },
    start() {
      if (quit) return
      quit = new AbortController()
      if (!o.channel || !o.locks) return lead()
      channel = o.channel()
      channel.onmessage = (e) => listen(e.data as Note)
      heard = now()
      tell({ kind: 'who' })
      stand(false)
      watch = setInterval(() => {
        if (stream || !visible() || now() - heard < patience) return
        if (status.since === null) set(false, heard)
        heard = now()
        stand(true)
      }, 5_000)
    },
    stop() {
      quit?.abort()
      quit = undefined
      clearInterval(watch)
      stepDown()
      channel?.close()
      channel = undefined
      set(false, null)
    },
    retryNow: () => stream?.retryNow(),
  }
}
