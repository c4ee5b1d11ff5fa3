import { watch } from 'vue'
import type { Checkpoint, TapSource } from '../api/types'
import { t } from '../i18n'
import { prune, sendPhotos, sendTaps, type Outcome } from '../offline/sender'
import { openStore, type Memo, type QueuedTap, type Store, type Tick } from '../offline/store'
import { hashOf } from '../offline/tags'
import { uuid7 } from '../offline/uuid'
import { live } from './live'
import { queue } from './queue'
import { client, person } from './session'
import { complain, sentence } from './toasts'

const keepDelivered = 36 * 3600_000
const firstPause = 2_000
const longestPause = 60_000

let opened: Promise<Store> | undefined
let pause = firstPause
let timer: ReturnType<typeof setTimeout> | undefined

function store(): Promise<Store> {
  opened ??= openStore()
  return opened
}

async function refresh(): Promise<void> {
  const s = await store()
  queue.durable = s.durable
  queue.taps = (await s.taps()).sort((a, b) => b.tapped_at.localeCompare(a.tapped_at))
  const waiting = await s.photos()
  queue.ticks = waiting.filter((p) => p.tick).length
  queue.photos = waiting.length - queue.ticks
}

/** startQueue shows what waits, and sends it whenever there may be a network again. */
export async function startQueue(): Promise<void> {
  await prune(await store(), Date.now() - keepDelivered)
  await refresh()
  addEventListener('online', () => void flush())
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void refresh().then(flush)
  })
  live.on('hello', () => void flush())
  watch(() => person.value?.login, () => void flush(), { immediate: true })
}

/** addTap writes a tap down before anything else happens, then sends it. It must not be called without a person. */
export async function addTap(token: string, source: TapSource): Promise<QueuedTap> {
  const at = Date.now()
  const who = person.value!
  const tap: QueuedTap = {
    id: uuid7(at), token, source, tapped_at: new Date(at).toISOString(),
    login: who.login, name: who.name, state: 'waiting', checkpoint: await checkpointOf(token),
  }
  await (await store()).putTap(tap)
  await refresh()
  void flush()
  void askForSync()
  return tap
}

/** addPhoto keeps a photo until it can be sent. */
export async function addPhoto(order: string, note: string, photo: Blob): Promise<void> {
  const at = Date.now()
  await (await store()).putPhoto({ id: uuid7(at), order, note, photo, login: person.value!.login, at: new Date(at).toISOString() })
  await refresh()
  schedule()
}

/** addTick keeps a tick of a checklist until it can be sent. */
export async function addTick(order: string, tick: Tick): Promise<void> {
  await (await store()).putPhoto({ id: uuid7(Date.now()), order, note: '', tick, login: person.value!.login, at: tick.at })
  await refresh()
  schedule()
}

/** flush sends what this person has waiting; one tab of the browser at a time. */
export async function flush(): Promise<void> {
  const login = person.value?.login
  if (!login || queue.sending) return
  queue.sending = true
  clearTimeout(timer)
  try {
    const outcome = await alone(() => send(login))
    await refresh()
    settle(outcome)
  } catch (error) {
    console.error('sending the queue', error)
    schedule()
  } finally {
    queue.sending = false
  }
  // A tap that was made while this ran may have missed it.
  if (pause === firstPause && waitsFor(login)) schedule(0)
}

async function send(login: string): Promise<Outcome> {
  const s = await store()
  const outcome = await sendTaps(s, client, login, Date.now)
  if (outcome !== 'empty') return outcome
  return sendPhotos(s, client, login, (what, error) => complain(new Error(t(what.tick ? 'order.tick_failed' : 'order.photo_failed', { why: sentence(error) }))))
}

async function alone(work: () => Promise<Outcome>): Promise<Outcome> {
  return navigator.locks ? navigator.locks.request('gengfu-send', work) : work()
}

function waitsFor(login: string): boolean {
  return queue.photos > 0 || queue.ticks > 0 || queue.taps.some((x) => x.state === 'waiting' && x.login === login)
}

function settle(outcome: Outcome): void {
  if (outcome === 'later') return schedule()
  pause = firstPause
}

function schedule(after = pause): void {
  clearTimeout(timer)
  timer = setTimeout(() => void flush(), after)
  pause = Math.min(pause * 2, longestPause)
}

// Where the browser can, the service worker sends what waits after the page is closed.
async function askForSync(): Promise<void> {
  const registration = await navigator.serviceWorker?.getRegistration()
  const sync = (registration as { sync?: { register(tag: string): Promise<void> } } | undefined)?.sync
  await sync?.register('taps').catch(() => {})
}

/** remember keeps the last answer of something for when there is no network. */
export async function remember(key: string, value: unknown): Promise<void> {
  await (await store()).putMemo({ key, at: new Date().toISOString(), value })
}

export async function recall(key: string): Promise<Memo | undefined> {
  return (await store()).memo(key)
}

/** rememberCheckpoint learns whose tag has this hash, so that a tap shows its name without a network. */
export async function rememberCheckpoint(hash: string, checkpoint: Checkpoint): Promise<void> {
  await remember(`tag ${hash}`, checkpoint)
}

async function checkpointOf(token: string): Promise<Checkpoint | null> {
  const hash = await hashOf(token)
  const memo = hash ? await recall(`tag ${hash}`) : undefined
  return (memo?.value as Checkpoint | undefined) ?? null
}
