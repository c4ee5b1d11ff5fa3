import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLive, type Channel, type Live } from '../src/live/live'
import { parser, type Block } from '../src/live/parse'
import { openStream, type Listener } from '../src/live/stream'

describe('the parser', () => {
  const text = ': beat\n\nevent: hello\ndata: {"a":1}\n\ndata: one\ndata: two\r\n\r\nevent: empty\n\nid: 7\nevent:x\ndata:y\n\n'
  const want: Block[] = [{ event: 'hello', data: '{"a":1}' }, { event: 'message', data: 'one\ntwo' }, { event: 'x', data: 'y' }]
  it.each([1, 2, 3, 7, 1000])('reads pieces of %i characters', (size) => {
    const got: Block[] = []
    const feed = parser((b) => got.push(b))
    for (let i = 0; i < text.length; i += size) feed(text.slice(i, i + size))
    expect(got).toEqual(want)
  })
})

/** A stream that the test writes to. */
function fakeServer() {
  const opened: { write(s: string): void; end(): void; aborted(): boolean }[] = []
  let refuse = false
  const fetcher = ((_: string, init: RequestInit) => {
    if (refuse) return Promise.reject(new TypeError('no network'))
    const encoder = new TextEncoder()
    let controller!: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>({ start(c) { controller = c } })
    init.signal!.addEventListener('abort', () => { try { controller.error(new DOMException('aborted', 'AbortError')) } catch { /* ended */ } })
    opened.push({ write: (s) => controller.enqueue(encoder.encode(s)), end: () => controller.close(), aborted: () => init.signal!.aborted })
    return Promise.resolve(new Response(body, { status: 200 }))
  }) as typeof fetch
  return { opened, fetcher, refuse: (yes: boolean) => { refuse = yes } }
}

describe('the stream', () => {
  beforeEach(() => { vi.useFakeTimers() })
  afterEach(() => { vi.useRealTimers() })

  function start() {
    const server = fakeServer()
    const log: string[] = []
    const to: Listener = { event: (type, data) => log.push(`${type} ${JSON.stringify(data)}`), alive: () => {}, lost: () => log.push('lost') }
    const stream = openStream({ url: '/api/events', fetch: server.fetcher, random: () => 0.5, pauses: [1000, 4000], silence: 40_000 }, to)
    return { server, log, stream }
  }
  const settle = () => vi.advanceTimersByTimeAsync(0)

  it('delivers events and leaves out what is not JSON', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const { server, log, stream } = start()
    await settle()
    server.opened[0]!.write('event: hello\ndata: {"version":"1"}\n\nevent: alarm\ndata: {broken\n\nevent: bye\ndata:\n\n')
    await settle()
    expect(log).toEqual(['hello {"version":"1"}', 'bye null'])
    expect(warn).toHaveBeenCalledOnce()
    stream.close()
  })

  it('connects again when it ends, slower each time until an event came', async () => {
    const { server, log, stream } = start()
    await settle()
    server.opened[0]!.end()
    await settle()
    expect([server.opened.length, log]).toEqual([1, ['lost']])
    await vi.advanceTimersByTimeAsync(1000)
    expect(server.opened.length).toBe(2)
    server.opened[1]!.end()
    await vi.advanceTimersByTimeAsync(3999)
    expect(server.opened.length).toBe(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(server.opened.length).toBe(3)
    server.opened[2]!.write('event: hello\ndata: {}\n\n')
    await settle()
    server.opened[2]!.end()
    await vi.advanceTimersByTimeAsync(1000)
    expect(server.opened.length).toBe(4)
    stream.close()
  })

  it('calls a silent line dead, but not one with a heartbeat', async () => {
    const { server, log, stream } = start()
    await settle()
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(30_000)
      server.opened[0]!.write(': beat\n\n')
      await settle()
    }
    expect([server.opened[0]!.aborted(), log]).toEqual([false, []])
    await vi.advanceTimersByTimeAsync(40_000)
    expect([server.opened[0]!.aborted(), log]).toEqual([true, ['lost']])
    stream.close()
  })

  it('tries at once when asked to, and never after it is closed', async () => {
    const { server, log, stream } = start()
    server.refuse(true)
    await settle()
    server.opened[0]?.end()
    await settle()
    server.refuse(false)
    stream.retryNow()
    await settle()
    const n = server.opened.length
    expect(log[0]).toBe('lost')
    stream.close()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(server.opened.length).toBe(n)
  })
})

/** One browser: its tabs share a lock and a channel. */
function browser() {
  const channels = new Set<Channel & { owner: number }>()
  const queue: { tab: number; run: () => void; drop: () => void }[] = []
  let holder: { tab: number; reject: (e: unknown) => void } | null = null
  const streams: { tab: number; to: Listener; closed: boolean }[] = []
  let tabs = 0

  function grant(tab: number, work: () => Promise<void>, resolve: () => void, reject: (e: unknown) => void) {
    const mine = { tab, reject }
    holder = mine
    void work().then(() => {
      if (holder !== mine) return
      holder = null
      resolve()
      queue.shift()?.run()
    })
  }

  function tab(o: { now: () => number; visible?: () => boolean; patience?: number }): { live: Live; id: number } {
    const id = tabs++
    const locks = {
      request: (_: string, options: { steal?: boolean; signal?: AbortSignal }, work: () => Promise<void>) => new Promise<void>((resolve, reject) => {
        const take = () => grant(id, work, resolve, reject)
        if (options.steal && holder) {
          const robbed = holder
          holder = null
          robbed.reject(new DOMException('stolen', 'AbortError'))
          return take()
        }
        if (!holder) return take()
        const entry = { tab: id, run: take, drop: () => reject(new DOMException('aborted', 'AbortError')) }
        queue.push(entry)
        options.signal?.addEventListener('abort', () => { queue.splice(queue.indexOf(entry), 1); entry.drop() })
      }),
    } as unknown as Pick<LockManager, 'request'>
    const live = createLive({
      ...o, locks,
      open(to) {
        const stream = { tab: id, to, closed: false }
        streams.push(stream)
        return { close: () => { stream.closed = true }, retryNow: () => {} }
      },
      channel: () => {
        const c: Channel & { owner: number } = {
          owner: id, onmessage: null,
          postMessage: (note) => channels.forEach((other) => { if (other !== c) other.onmessage?.({ data: note } as MessageEvent) }),
          close: () => void channels.delete(c),
        }
        channels.add(c)
        return c
      },
    })
    return { live, id }
  }
  return { tab, streams, open: () => streams.filter((s) => !s.closed) }
}

describe('tabs', () => {
  let time = 1_000_000
  const now = () => time
  const seen = () => true
  beforeEach(() => { vi.useFakeTimers(); time = 1_000_000 })
  afterEach(() => { vi.useRealTimers() })

  it('share one stream, and all get its events', () => {
    const b = browser()
    const [one, two] = [b.tab({ now, visible: seen }), b.tab({ now, visible: seen })]
    const got: unknown[] = []
    one.live.on('order', (o) => got.push(['one', o.id]))
    const off = two.live.on('order', (o) => got.push(['two', o.id]))
    one.live.start()
    two.live.start()
    expect(b.open().map((s) => s.tab)).toEqual([one.id])
    b.open()[0]!.to.event('hello', {})
    expect([one.live.status.live, two.live.status.live]).toEqual([true, true])
    b.open()[0]!.to.event('order', { id: 'o1' })
    off()
    b.open()[0]!.to.event('order', { id: 'o2' })
    expect(got).toEqual([['two', 'o1'], ['one', 'o1'], ['one', 'o2']])
  })

  it('all know since when contact is lost', () => {
    const b = browser()
    const [one, two] = [b.tab({ now, visible: seen }), b.tab({ now, visible: seen })]
    one.live.start()
    two.live.start()
    const to = b.open()[0]!.to
    to.event('hello', {})
    time += 5_000
    to.lost()
    time += 9_000
    to.lost()
    expect([one.live.status, two.live.status]).toEqual([{ live: false, since: 1_005_000 }, { live: false, since: 1_005_000 }])
    to.event('hello', {})
    expect([one.live.status, two.live.status]).toEqual([{ live: true, since: null }, { live: true, since: null }])
  })

  it('that open later are told how it stands', () => {
    const b = browser()
    const one = b.tab({ now, visible: seen })
    one.live.start()
    b.open()[0]!.to.event('hello', {})
    const two = b.tab({ now, visible: seen })
    two.live.start()
    expect(two.live.status.live).toBe(true)
  })

  it('pass the stream on when the one that holds it closes', async () => {
    const b = browser()
    const [one, two] = [b.tab({ now, visible: seen }), b.tab({ now, visible: seen })]
    one.live.start()
    two.live.start()
    one.live.stop()
    await vi.advanceTimersByTimeAsync(0)
    expect(b.open().map((s) => s.tab)).toEqual([two.id])
  })

  it('take the stream from one that fell silent, when they are looked at', async () => {
    const b = browser()
    let looked = false
    const one = b.tab({ now, visible: () => false, patience: 45_000 })
    const two = b.tab({ now, visible: () => looked, patience: 45_000 })
    one.live.start()
    two.live.start()
    b.open()[0]!.to.event('hello', {})
    time += 60_000
    await vi.advanceTimersByTimeAsync(60_000)
    expect(b.open().map((s) => s.tab)).toEqual([one.id])
    looked = true
    await vi.advanceTimersByTimeAsync(5_000)
    expect(two.live.status.live).toBe(false)
    expect(b.open().map((s) => s.tab)).toEqual([two.id])
  })

  it('leave one alone that still has a heartbeat', async () => {
    const b = browser()
    const [one, two] = [b.tab({ now, visible: seen, patience: 45_000 }), b.tab({ now, visible: seen, patience: 45_000 })]
    one.live.start()
    two.live.start()
    for (let i = 0; i < 8; i++) {
      time += 15_000
      b.open()[0]!.to.alive()
      await vi.advanceTimersByTimeAsync(15_000)
    }
    expect(b.open().map((s) => s.tab)).toEqual([one.id])
  })

  it('keep streams of their own where there are no locks', () => {
    const opened: Listener[] = []
    const live = createLive({ open: (to) => { opened.push(to); return { close: () => {}, retryNow: () => {} } }, now, visible: seen })
    live.start()
    live.start()
    expect(opened).toHaveLength(1)
    opened[0]!.event('hello', {})
    expect(live.status.live).toBe(true)
    live.stop()
    expect(live.status).toEqual({ live: false, since: null })
  })
})
