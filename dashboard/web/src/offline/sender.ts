import { ApiError, Unreachable, type Client } from '../api/client'
import type { TapResult } from '../api/types'
import type { QueuedPhoto, QueuedTap, Store } from './store'

/** What an attempt to send came to. */
export type Outcome =
  | 'empty' // nothing waits any more
  | 'later' // no network, or the server is busy: try again
  | 'signed_out' // waits for a sign-in

const batchSize = 100

/**
 * sendTaps hands this person's waiting taps to the server, oldest first, and
 * writes down what became of each. The same tap may be sent twice: its id makes
 * it one.
 */
export async function sendTaps(store: Store, client: Client, login: string, now: () => number): Promise<Outcome> {
  const waiting = (await store.taps())
    .filter((t) => t.state === 'waiting' && t.login === login)
    .sort((a, b) => a.tapped_at.localeCompare(b.tapped_at))
  for (let i = 0; i < waiting.length; i += batchSize) {
    const outcome = await sendBatch(store, client, waiting.slice(i, i + batchSize), now)
    if (outcome !== 'empty') return outcome
  }
  return 'empty'
}

async function sendBatch(store: Store, client: Client, taps: QueuedTap[], now: () => number): Promise<Outcome> {
  try {
    const body = {
      sent_at: new Date(now()).toISOString(),
      taps: taps.map(({ id, token, source, tapped_at }) => ({ id, token, source, tapped_at })),
    }
    const { results } = await client.send<{ results: TapResult[] }>('POST', '/api/taps', body)
    const answers = new Map(results.map((r) => [r.id, r]))
    for (const tap of taps) {
      const result = answers.get(tap.id)
      if (!result) return 'later'
      await store.putTap(judged(tap, result, now()))
    }
    return 'empty'
  } catch (error) {
    return refusedBatch(error, store, client, taps, now)
  }
}

function judged(tap: QueuedTap, r: TapResult, at: number): QueuedTap {
  const sent_at = new Date(at).toISOString()
  if (r.accepted) return { ...tap, state: 'sent', checkpoint: r.checkpoint ?? tap.checkpoint, sent_at }
  return { ...tap, state: 'refused', why: r.error?.message, sent_at }
}

// A batch that the server finds malformed is taken apart, so that one bad tap
// does not hold up the others.
async function refusedBatch(
  error: unknown, store: Store, client: Client, taps: QueuedTap[], now: () => number,
): Promise<Outcome> {
  if (error instanceof Unreachable) return 'later'
  if (!(error instanceof ApiError)) throw error
  if (error.status === 401) return 'signed_out'
  if (error.status >= 500 || error.status === 429 || error.status === 408) return 'later'
  if (taps.length === 1) {
    await store.putTap({ ...taps[0]!, state: 'refused', why: error.text, sent_at: new Date(now()).toISOString() })
    return 'empty'
  }
  for (const tap of taps) {
    const outcome = await sendBatch(store, client, [tap], now)
    if (outcome !== 'empty') return outcome
  }
  return 'empty'
}

function bodyOf(p: QueuedPhoto): [path: string, body: unknown] {
  if (p.tick) return [`/api/orders/${p.order}/actions`, p.tick]
  const form = new FormData()
  form.set('photo', p.photo!, 'photo.jpg')
  form.set('note', p.note)
  return [`/api/orders/${p.order}/photos`, form]
}

/** sendPhotos sends this person's waiting photos and ticks, the oldest first; what the server refuses is dropped and named. */
export async function sendPhotos(
  store: Store, client: Client, login: string, refused: (what: QueuedPhoto, error: ApiError) => void,
): Promise<Outcome> {
  for (const p of (await store.photos()).filter((q) => q.login === login)) {
    try {
      await client.send('POST', ...bodyOf(p))
    } catch (error) {
      if (error instanceof Unreachable) return 'later'
      if (!(error instanceof ApiError)) throw error
      if (error.status === 401) return 'signed_out'
      if (error.status >= 500 || error.status === 429 || error.status === 408) return 'later'
      refused(p, error)
    }
    await store.dropPhoto(p.id)
  }
  return 'empty'
}

/** prune forgets what was delivered before the given time, ms. */
export async function prune(store: Store, before: number): Promise<void> {
  for (const t of await store.taps()) {
    if (t.state !== 'waiting' && Date.parse(t.tapped_at) < before) await store.dropTap(t.id)
  }
}
