import 'fake-indexeddb/auto'
import { afterEach, describe, expect, it } from 'vitest'
import { createClient } from '../src/api/client'
import { prune, sendPhotos, sendTaps } from '../src/offline/sender'
import { memoryStore, openStore, type QueuedTap, type Store } from '../src/offline/store'
import { hashOf, tokenOf } from '../src/offline/tags'
import { uuid7 } from '../src/offline/uuid'

const now = Date.parse('2026-11-22T14:00:00Z')
const text = (en: string) => ({ zh: en, en })
const tap = (id: string, more: Partial<QueuedTap> = {}): QueuedTap => ({
  id, token: `token-${id}`, source: 'phone_url', tapped_at: new Date(now - 1000 * (10 - id.length)).toISOString(), login: 'zhao', name: '赵卫国', state: 'waiting', ...more,
})
const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })

interface Sent { sent_at: string; taps: { id: string; token: string }[] }

/** A server that answers each batch as told, and remembers what it was sent. */
function serverOf(answer: (batch: Sent) => Response | Promise<Response>) {
  const batches: Sent[] = []
  const client = createClient(async (_, init) => {
    const batch = JSON.parse(String(init!.body)) as Sent
    batches.push(batch)
    return answer(batch)
  })
  return { batches, client }
}
const acceptAll = (b: Sent) => json(200, { results: b.taps.map((t) => ({ id: t.id, accepted: true, checkpoint: { id: 'c', name: text('Gate') } })) })

async function states(store: Store) {
  return Object.fromEntries((await store.taps()).map((t) => [t.id, t.state]))
}

describe.each([['IndexedDB', openStore], ['memory', async () => memoryStore()]])('taps in %s', (_, open) => {
  let store: Store
  const fill = async (...taps: QueuedTap[]) => {
    store = await open()
    for (const t of taps) await store.putTap(t)
  }
  afterEach(async () => {
    for (const t of await store.taps()) await store.dropTap(t.id)
    store.close()
  })

  it('are sent oldest first and marked as delivered', async () => {
    await fill(tap('bb'), tap('a'), tap('ccc'))
    const { batches, client } = serverOf(acceptAll)
    expect(await sendTaps(store, client, 'zhao', () => now)).toBe('empty')
    expect(batches.map((b) => b.taps.map((t) => t.id))).toEqual([['a', 'bb', 'ccc']])
    expect(batches[0]!.sent_at).toBe('2026-11-22T14:00:00.000Z')
    expect(await store.taps()).toMatchObject([{ state: 'sent', checkpoint: { id: 'c' } }, { state: 'sent' }, { state: 'sent' }])
    expect(await sendTaps(store, client, 'zhao', () => now)).toBe('empty')
    expect(batches).toHaveLength(1)
  })

  it('of another person wait for him', async () => {
    await fill(tap('a', { login: 'sun' }), tap('b'))
    const { batches, client } = serverOf(acceptAll)
    await sendTaps(store, client, 'zhao', () => now)
    expect(batches[0]!.taps.map((t) => t.id)).toEqual(['b'])
    expect(await states(store)).toEqual({ a: 'waiting', b: 'sent' })
  })

  it.each<[string, () => Response | Promise<Response>, string]>([
    ['there is no network', () => Promise.reject(new TypeError('Failed to fetch')), 'later'],
    ['the server is down', () => json(503, { error: { code: 'unavailable', message: text('no') } }), 'later'],
    ['a proxy answers for it', () => new Response('<html>', { status: 502 }), 'later'],
    ['there were too many', () => json(429, { error: { code: 'too_many', message: text('slow') } }), 'later'],
    ['nobody is signed in', () => json(401, { error: { code: 'signed_out', message: text('who?') } }), 'signed_out'],
    ['the answer leaves some out', () => json(200, { results: [] }), 'later'],
  ])('stay when %s', async (_, answer, outcome) => {
    await fill(tap('a'), tap('bb'))
    expect(await sendTaps(store, serverOf(answer).client, 'zhao', () => now)).toBe(outcome)
    expect(await states(store)).toEqual({ a: 'waiting', bb: 'waiting' })
  })

  it('that are refused say why and are not sent again', async () => {
    await fill(tap('a'), tap('bb'))
    const { batches, client } = serverOf((b) => json(200, { results: b.taps.map((t) => (t.id === 'a' ? { id: 'a', accepted: false, error: { code: 'not_found', message: text('no such tag') } } : { id: t.id, accepted: true })) }))
    await sendTaps(store, client, 'zhao', () => now)
    expect(await store.taps()).toMatchObject([{ id: 'a', state: 'refused', why: { en: 'no such tag' } }, { id: 'bb', state: 'sent' }])
    await sendTaps(store, client, 'zhao', () => now)
    expect(batches).toHaveLength(1)
  })

  it('do not hold each other up when one is malformed', async () => {
    await fill(tap('a'), tap('bb'), tap('ccc'))
    const { client } = serverOf((b) => (b.taps.some((t) => t.id === 'bb') ? json(400, { error: { code: 'invalid', message: text('bad id') } }) : acceptAll(b)))
    expect(await sendTaps(store, client, 'zhao', () => now)).toBe('empty')
    expect(await states(store)).toEqual({ a: 'sent', bb: 'refused', ccc: 'sent' })
  })

  it('go in batches that the server takes', async () => {
    await fill(...Array.from({ length: 230 }, (_, i) => tap(String(i).padStart(3, '0'))))
    const { batches, client } = serverOf(acceptAll)
    await sendTaps(store, client, 'zhao', () => now)
    expect(batches.map((b) => b.taps.length)).toEqual([100, 100, 30])
  })

  it('are forgotten only when delivered and old', async () => {
    const old = new Date(now - 2 * 86_400_000).toISOString()
    await fill(tap('sent', { state: 'sent', tapped_at: old }), tap('waiting', { tapped_at: old }), tap('new', { state: 'sent' }))
    await prune(store, now - 86_400_000)
    expect(Object.keys(await states(store)).sort()).toEqual(['new', 'waiting'])
  })
})

describe('photos', () => {
  const photo = (id: string, login = 'zhang') => ({ id, order: 'o1', login, note: 'n', at: new Date(now).toISOString(), photo: new Blob(['x']) })
  it('wait for the network, and are dropped once the server has answered', async () => {
    const store = memoryStore()
    await store.putPhoto(photo('a'))
    await store.putPhoto(photo('b', 'chen'))
    const refused: string[] = []
    const answers = [Promise.reject(new TypeError('no network')), Promise.resolve(json(403, { error: { code: 'forbidden', message: text('not yours') } }))]
    const paths: string[] = []
    const client = createClient((path) => { paths.push(String(path)); return answers.shift()! })
    expect(await sendPhotos(store, client, 'zhang', (p) => refused.push(p.order))).toBe('later')
    expect(await store.photos()).toHaveLength(2)
    expect(await sendPhotos(store, client, 'zhang', (p, e) => refused.push(`${p.order} ${e.text.en}`))).toBe('empty')
    expect(refused).toEqual(['o1 not yours'])
    expect((await store.photos()).map((p) => p.id)).toEqual(['b'])
    expect(paths).toEqual(['/api/orders/o1/photos', '/api/orders/o1/photos'])
  })
})

describe('ticks of a checklist', () => {
  const tick = (id: string, action: 'tick' | 'untick', step: number) => ({ id, order: 'o1', login: 'zhang', note: '', at: new Date(now).toISOString(), tick: { action, step, at: new Date(now).toISOString() } })
  it.each([['IndexedDB', openStore], ['memory', async () => memoryStore()]])('wait in %s, and are sent in the order in which they were made', async (_, open) => {
    const store = await open()
    for (const x of [tick('a', 'tick', 2), tick('b', 'untick', 2), tick('c', 'tick', 9)]) await store.putPhoto(x)
    const sent: unknown[] = []
    const answers = [json(200, {}), null, json(200, {}), json(400, { error: { code: 'invalid', message: text('no such step') } })]
    const client = createClient(async (path, init) => {
      sent.push([String(path), JSON.parse(String(init!.body))])
      const answer = answers.shift()
      if (!answer) throw new TypeError('no network')
      return answer
    })
    const refused: string[] = []
    const note = (p: { id: string }, e: { text: { en: string } }) => refused.push(`${p.id} ${e.text.en}`)
    expect(await sendPhotos(store, client, 'zhang', note)).toBe('later')
    expect((await store.photos()).map((p) => p.id)).toEqual(['b', 'c'])
    expect(await sendPhotos(store, client, 'zhang', note)).toBe('empty')
    expect(refused).toEqual(['c no such step'])
    expect(await store.photos()).toEqual([])
    const at = '2026-11-22T14:00:00.000Z'
    const body = (action: string, step: number) => ['/api/orders/o1/actions', { action, step, at }]
    expect(sent).toEqual([body('tick', 2), body('untick', 2), body('untick', 2), body('tick', 9)])
    store.close()
  })
})

describe('uuid7', () => {
  it('is the time and the random bytes, as RFC 9562 lays them', () => {
    expect(uuid7(0x017f22e279b0, Uint8Array.from([0xcc, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f]))).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f')
  })
  it('sorts by time and never repeats', () => {
    const ids = Array.from({ length: 500 }, (_, i) => uuid7(now + i))
    expect([...ids].sort()).toEqual(ids)
    expect(new Set(Array.from({ length: 500 }, () => uuid7(now))).size).toBe(500)
  })
})

describe('what a tag holds', () => {
  it('is recognised by its hash', async () => {
    expect(await hashOf('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })
  it.each([
    ['https://estate.example/t/gate-7f3a91', 'gate-7f3a91'], ['https://estate.example/t/gate-7f3a91?lang=en#x', 'gate-7f3a91'], ['/t/a%20b', 'a b'],
    ['gate-7f3a91', 'gate-7f3a91'], [' gate-7f3a91\n', 'gate-7f3a91'], ['https://elsewhere.example/', ''], ['abc', ''], ['', ''], ['/t/%E0%A4%A', ''], ['two words', ''],
  ])('%s is %s', (held, token) => {
    expect(tokenOf(held)).toBe(token)
  })
})
