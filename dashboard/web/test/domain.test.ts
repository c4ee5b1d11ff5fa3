import { describe, expect, it } from 'vitest'
import type { Alarm, Bucket, DeviceHealth, Health, LineHealth, Point, Round, Verdict } from '../src/api/types'
import { inboxOrder, needsAcknowledging } from '../src/domain/alarms'
import { beside, bytes, crowded, fleet, isReader, lawRows, lineTrouble, protocolName, reasons, worries } from '../src/domain/health'
import { columns, extremes, gapsIn, lonely, spread, thin } from '../src/domain/history'
import { inAlarm, newer, number, trustOf, unitName } from '../src/domain/points'
import { board, following, lastMoment, tally, toWalk } from '../src/domain/rounds'
import { homeOf, navFor } from '../src/nav'
import { fit } from '../src/parts/photo'

const now = Date.parse('2026-11-22T14:00:00Z')
const ago = (s: number) => new Date(now - s * 1000).toISOString()

const point = (more: Partial<Point> = {}): Point => ({
  id: 'pump-1/outlet_pressure', device: 'pump-1', device_name: { zh: '泵', en: 'Pump' }, name: { zh: '压力', en: 'Pressure' },
  kind: 'measure', unit: 'bar', decimals: 2, value: 4.1, quality: 'good', time: ago(5), stale_after: 90, ...more,
})

describe('a point', () => {
  it.each<[string, Partial<Point>]>([
    ['good', {}], ['good', { time: ago(90) }], ['good', { value: 0 }], ['stale', { time: ago(91) }], ['uncertain', { quality: 'uncertain' }],
    ['stale', { quality: 'uncertain', time: ago(91) }], ['bad', { quality: 'bad' }], ['bad', { quality: 'bad', time: ago(500) }],
    ['none', { value: null }], ['none', { time: null }],
  ])('is %s with %o', (trust, more) => {
    expect(trustOf(point(more), now)).toBe(trust)
  })
  it('takes a newer reading over, and no older one', () => {
    expect(newer(point(), { id: 'x', value: 5, quality: 'good', time: ago(1) }).value).toBe(5)
    expect(newer(point(), { id: 'x', value: 5, quality: 'good', time: ago(9) }).value).toBe(4.1)
    expect(newer(point({ time: null, value: null }), { id: 'x', value: 5, time: ago(9) }).value).toBe(5)
    expect(newer(point(), { id: 'x', value: null, quality: 'bad', reason: 'no_answer', time: ago(1) })).toMatchObject({ value: null, quality: 'bad', name: { en: 'Pressure' } })
  })
  it('alarms when its signal is up and believed', () => {
    expect(inAlarm(point({ kind: 'alarm', value: 1 }))).toBe(true)
    expect(inAlarm(point({ kind: 'alarm', value: 1, quality: 'bad' }))).toBe(false)
    expect(inAlarm(point({ kind: 'measure', value: 1 }))).toBe(false)
  })
  it('is written with its decimals and unit', () => {
    expect([number(1234.5, 2, 'en-GB'), number(0, 0, 'en-GB'), number(1.005, -3, 'en-GB')]).toEqual(['1,234.50', '0', '1'])
    expect([unitName('m3/h'), unitName('Cel'), unitName('bar'), unitName('')]).toEqual(['m³/h', '°C', 'bar', ''])
  })
})

const alarm = (id: string, more: Partial<Alarm>): Alarm => ({
  id, key: id, rule: 'r', title: { zh: '', en: '' }, priority: 'P3', state: 'unacknowledged', shown: more.state ?? 'unacknowledged', unknown: false, count: 1, raised_at: ago(60), last_at: ago(60), ...more,
})

describe('the inbox', () => {
  it('puts what nobody has seen first', () => {
    const list = [alarm('acked P1', { state: 'acknowledged', priority: 'P1' }), alarm('new P3', {}), alarm('gone P2', { state: 'returned', priority: 'P2' }), alarm('new P1', { priority: 'P1' }), alarm('newer P3', { last_at: ago(1) })]
    expect(list.sort(inboxOrder).map((a) => a.id)).toEqual(['new P1', 'newer P3', 'new P3', 'gone P2', 'acked P1'])
    expect(list.filter(needsAcknowledging)).toHaveLength(4)
  })
})

const round = (id: string, startAgo: number, more: Partial<Round> = {}, verdicts: Verdict[] = ['pending', 'pending']): Round => ({
  id, plan: 'night', route: 'night', name: { zh: '夜巡', en: 'Night' }, start: ago(startAgo), end: ago(startAgo - 2700), tolerance: 600, in_order: false, state: 'due',
  visits: verdicts.map((verdict, i) => ({ checkpoint: `c${i}`, name: { zh: '', en: '' }, verdict })), ...more,
})

describe('the round to walk', () => {
  it('is the one that is open now, until its tolerance ends', () => {
    const r = round('r', 2700)
    expect(toWalk([r, round('later', -60)], 'zhao', now)?.id).toBe('r')
    expect(toWalk([r], 'zhao', lastMoment(r))?.id).toBe('r')
    expect(toWalk([r], 'zhao', lastMoment(r) + 1)).toBeNull()
    expect(toWalk([round('r', -1)], 'zhao', now)).toBeNull()
  })
  it('is his own before anybody’s, and anybody’s before another’s', () => {
    const all = [round('anybody', 60), round('sun’s', 60, { assignee: 'sun' }), round('his', 30, { assignee: 'zhao' })]
    expect(toWalk(all, 'zhao', now)?.id).toBe('his')
    expect(toWalk(all.slice(0, 2), 'zhao', now)?.id).toBe('anybody')
    expect(toWalk(all.slice(1, 2), 'zhao', now)?.id).toBe('sun’s')
  })
  it('is one with something left before one that is done', () => {
    expect(toWalk([round('done', 60, { assignee: 'zhao' }, ['on_time', 'late']), round('left', 60)], 'zhao', now)?.id).toBe('left')
  })
  it('is followed by the next of his', () => {
    expect(following([round('b', -7200), round('a', -60), round('sun’s', -30, { assignee: 'sun' })], 'zhao', now)?.id).toBe('a')
  })
  it('adds up to a day', () => {
    expect(tally([round('a', 0, {}, ['on_time', 'early', 'late', 'missed', 'exempt', 'pending']), round('b', 0, { state: 'cancelled' })])).toEqual({ expected: 5, reached: 3, missed: 1 })
  })
})

describe('the board of a day', () => {
  const names = (rounds: Round[]) => board(rounds).map((g) => `${g.group}: ${g.rounds.map((r) => r.id).join(' ')}`)
  const done = [round('2h', 7200, { state: 'missed' }), round('3h', 10_800, { state: 'completed' }), round('4h', 14_400, { state: 'exceptions' }), round('5h', 18_000, { state: 'completed' }), round('6h', 21_600, { state: 'cancelled' })]
  const later = [round('in 2h', -7200, { state: 'scheduled' }), round('in 1h', -3600, { state: 'scheduled' })]
  it('begins with what is walked now', () => {
    expect(names([...later, ...done, round('now', 60), round('begun', 90, { state: 'in_progress' })]))
      .toEqual(['now: begun now', 'amiss: 2h 4h', 'done: 3h 5h 6h', 'later: in 1h in 2h'])
  })
  it('else with what comes next', () => {
    expect(names([...later, ...done])).toEqual(['next: in 1h', 'amiss: 2h 4h', 'done: 3h 5h 6h', 'later: in 2h'])
  })
  it('has only the groups that have rounds', () => {
    expect(names([later[0]!])).toEqual(['next: in 2h'])
    expect(names([])).toEqual([])
  })
})

describe('a history', () => {
  const bucket = (t: number, v: number, count = 1): Bucket => ({ t: new Date(t * 1000).toISOString(), count, mean: v, min: v - 1, max: v + 1, last: v })
  it('has a hole where readings are missing', () => {
    expect(columns([bucket(0, 5), bucket(60, 6), bucket(600, 7)], 60)).toEqual({ t: [0, 60, 120, 600], mean: [5, 6, null, 7], min: [4, 5, null, 6], max: [6, 7, null, 8] })
  })
  const every = (distance: number, n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i * distance)
  it.each<[string, number[], number, number[]]>([
    ['nothing', [], 60, []],
    ['one value', [0], 60, []],
    ['a value in each step', every(60, 20), 60, []],
    ['one empty step', [...every(60, 10), ...every(60, 10, 660)], 60, []],
    ['three empty steps', [...every(60, 10), ...every(60, 10, 780)], 60, [9]],
    ['a value in every second or third step', [0, 576, 1152, 2016, 2592, 3168, 4032, 4608], 288, []],
    ['two hours missing among values every ten minutes', [...every(576, 9), ...every(576, 9, 12_000)], 288, [8]],
    ['ten minutes in the past, steps since today', [...every(600, 9), ...every(12, 20, 5400)], 12, []],
    ['an hour missing where the rhythm changes', [...every(600, 9), ...every(12, 20, 8400)], 12, [8]],
    ['a value that came alone', [...every(60, 10), 3000, ...every(60, 10, 6000)], 60, [9, 10]],
  ])('with %s has its gaps where readings are missing', (_, times, step, want) => {
    expect(gapsIn(times, step)).toEqual(want)
  })
  it('shows values alone between gaps as dots', () => {
    expect(lonely([1, null, 2, null, 3, 4, null, 5])).toEqual([0, 2, 7])
    expect(lonely([])).toEqual([])
  })
  it('has a band to see only where readings differ within many buckets', () => {
    expect(spread([bucket(0, 5)])).toBe(true)
    const single = { ...bucket(0, 5), min: 5, max: 5 }
    expect([spread([single]), spread([]), spread([...Array<Bucket>(20).fill(single), bucket(1, 5)])]).toEqual([false, false, false])
  })
  it('is summed up over its readings, not its buckets', () => {
    expect(extremes([bucket(0, 10, 3), bucket(60, 2, 1)])).toEqual({ min: 1, max: 11, mean: 8 })
    expect(extremes([])).toBeNull()
  })
  it('is thinned evenly for a table', () => {
    expect(thin([0, 1, 2, 3, 4, 5], 3)).toEqual([0, 2, 4])
    expect(thin([1, 2], 3)).toEqual([1, 2])
  })
})

describe('health', () => {
  const h = (more: Partial<Health>): Health => ({ at: ago(0), version: '1', uptime: 1, ...more })
  it('says that nothing is judged before all else', () => {
    expect(worries(h({
      ledger: { engine: 'sqlite', error: 'disk full' }, judge: { set_aside: 1, late: 5, failed: 0, mistimed: 2 },
      gateways: [{ id: 'a', online: false, version: '1' }],
    }))).toEqual([{ what: 'ledger' }, { what: 'gateways', n: 1 }, { what: 'set_aside', n: 1 }, { what: 'mistimed', n: 2 }])
  })
  it('has no worries when all runs', () => {
    expect(worries(h({ lines: [{ id: 'a', state: 'up', requests: 1, timeouts: 9, errors: 0, utilisation: 0.2 }], consumers: [{ name: 'rules', position: 1, behind: 12 }] }))).toEqual([])
  })
  it('names what is wrong, the worst first', () => {
    const stream = { gateway: 'g', stream: 'telemetry', epoch: 1, sent: 1, acknowledged: 1, queued_bytes: 0, queued: 0, resent: 0, duplicates: 0 }
    expect(worries(h({
      streams: [{ ...stream, dropped: 3 }, { ...stream, dropped: 4 }], gateways: [{ id: 'g', online: false, version: '1' }],
      lines: [{ id: 'a', state: 'down', requests: 0, timeouts: 0, errors: 0, utilisation: 0 }], consumers: [{ name: 'history', position: 1, behind: 5000 }], history: { engine: 'influxdb', error: 'refused' },
    }))).toEqual([{ what: 'gateways', n: 1 }, { what: 'lines', n: 1 }, { what: 'history' }, { what: 'dropped', n: 7 }, { what: 'behind', name: 'history', n: 5000 }])
  })
  it('says nothing twice of what the gateway says itself', () => {
    const text = { zh: '', en: '' }
    const sick = h({ ledger: { engine: 'sqlite', error: 'full' }, judge: { set_aside: 1, late: 0, failed: 0, mistimed: 0 }, summary: { state: 'trouble', text, all: [{ what: 'ledger', text }] } })
    expect(beside(sick)).toEqual([{ what: 'set_aside', n: 1 }])
    expect(beside({ ...sick, summary: null })).toEqual([{ what: 'ledger' }, { what: 'set_aside', n: 1 }])
  })
  it('lists the places of the law as facts pass them, and why facts were dropped', () => {
    const balance = { read: 5, delivered: 3, queued: 1, dropped: 1, difference: 0 }
    const law = { ...balance, since: ago(1), kills: 0, streams: [{ ...balance, site: 's', gateway: 'g', stream: 'urgent', own: true, kills: 0 }], history: balance, hub: balance }
    expect(lawRows(law).map((r) => [r.place, r.name, r.stream])).toEqual([['stream', 'g', 'urgent'], ['hub', '', ''], ['history', '', '']])
    expect(reasons({ full: 2, evicted: 9, disk: 0 })).toEqual([['evicted', 9], ['full', 2]])
  })
  const line = (more: Partial<LineHealth>): LineHealth => ({ id: 'bus', state: 'up', requests: 9, timeouts: 0, errors: 0, utilisation: 0.2, ...more })
  const device = (id: string, online: boolean | null): DeviceHealth => ({ id, protocol: 'modbus', address: '1', online, requests: 1, timeouts: 0, crc_errors: 0, exceptions: 0, turnaround_ms: 0, timeout_ms: 1000 })
  it('counts the devices that are silent on lines that are not', () => {
    const devices = [device('a', true), device('b', false), device('c', null)]
    expect(fleet(line({ devices }))).toEqual({ all: 3, offline: 1 })
    expect(worries(h({ lines: [line({ devices }), line({ devices, state: 'down' })] }))).toEqual([{ what: 'lines', n: 1 }, { what: 'silent', n: 1 }])
  })
  it('names the lines that are too busy, and what was lost at the edge', () => {
    expect([line({}), line({ planned: 0.95 }), line({ utilisation: 0.91 }), line({ planned: 0.9 })].map(crowded)).toEqual([false, true, true, false])
    expect(worries(h({ lines: [line({ planned: 1.4 })], collector: { dropped: { full: 2, old: 3 } }, dead_letters: [{ at: ago(1), topic: 't', reason: 'r', size: 1, excerpt: '' }] })))
      .toEqual([{ what: 'crowded', name: 'bus' }, { what: 'lost', n: 5 }, { what: 'dead', n: 1 }])
    expect(worries(h({ history: { engine: 'influxdb', refused: { held: 3, evicted: 0, causes: [] } } }))).toEqual([{ what: 'refused', n: 3 }])
  })
  it('tells readers from buses, and knows how protocols are written', () => {
    expect([isReader(line({ requests: 0 })), isReader(line({})), isReader(line({ requests: 0, devices: [device('a', null)] }))]).toEqual([true, false, false])
    expect([protocolName('dlt645'), protocolName('new'), protocolName(undefined)]).toEqual(['DL/T 645', 'new', ''])
  })
  it.each([
    ['wait at :9000: no box has dialled in yet', 'no_box'], ['wait at :9000: no line expects a box from this address', 'stranger'],
    ['open /dev/ttyUSB0: in use by another program', 'busy'], ['open /dev/ttyUSB0: no such file or directory', 'missing'],
    ['connect to 10.0.0.9:502: dial tcp 10.0.0.9:502: connect: connection refused', 'refused'],
    ['connect to 10.0.0.9:502: dial tcp 10.0.0.9:502: i/o timeout', 'unreachable'], ['connect to x: dial tcp: connect: no route to host', 'unreachable'],
    ['open /dev/ttyUSB0: permission denied', 'other'],
  ])('%s is a line that is %s', (reason, trouble) => expect(lineTrouble(reason)).toBe(trouble))
  it('writes sizes', () => expect([bytes(12), bytes(18_400), bytes(2_500_000)]).toEqual(['12 B', '18.4 kB', '2.5 MB']))
})

describe('the navigation', () => {
  it('begins where each role works, and shows nothing that is not permitted', () => {
    expect(navFor('guard', ['see_patrol', 'create_order', 'make_tap'])).toEqual(['walk', 'my', 'patrol', 'orders', 'me'])
    expect(homeOf('guard', ['see_patrol', 'make_tap'])).toBe('/walk')
    expect(homeOf('technician', ['see_estate'])).toBe('/my')
    expect(homeOf('desk', ['see_estate', 'see_patrol'])).toBe('/')
    expect(navFor('manager', [])).toEqual(['orders', 'my', 'me'])
    expect(homeOf('viewer', [])).toBe('/orders')
  })
})

describe('a photo', () => {
  it('is at most 1600 pixels long and keeps its shape', () => {
    expect([fit(4000, 3000), fit(3000, 4000), fit(800, 600), fit(10_000, 1)]).toEqual([{ width: 1600, height: 1200 }, { width: 1200, height: 1600 }, { width: 800, height: 600 }, { width: 1600, height: 1 }])
  })
})
