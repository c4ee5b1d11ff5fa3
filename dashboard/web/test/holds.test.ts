import { mount } from './mount'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'
import type { Alarm, Hold, Order } from '../src/api/types'
import { endsFirst, holdableKeys, isLatched, isUnseen, keepsOpen, mayRelease, needsAttention, ordersFor, shelfEnd, shelfTimes } from '../src/domain/holds'
import { inboxOrder } from '../src/domain/alarms'
import { speak, withOffice } from '../src/i18n'
import HoldDialog from '../src/parts/HoldDialog.vue'
import { holdName } from '../src/state/alarms'
import { signIn } from '../src/state/session'

const hour = 3_600

const alarm = (more: Partial<Alarm> = {}): Alarm => ({
  id: 'a', key: 'pump-fault/pump-1', rule: 'pump-fault', device: 'pump-1', title: { zh: '1号泵 故障', en: 'Pump 1 fault' }, priority: 'P2',
  state: 'unacknowledged', shown: more.state ?? 'unacknowledged', unknown: false, count: 1, raised_at: '', last_at: '', ...more,
})
const order = (id: string, more: Partial<Order> = {}): Order => ({
  id, no: `20261122-${id}`, source: 'alarm', title: { zh: id, en: id }, device: 'pump-1', priority: 'P2', state: 'accepted', count: 1,
  created_at: '2026-11-22T00:00:00Z', last_at: '', updated_at: '', overdue: false, reopened: 0, version: 1, ...more,
})
const hold = (more: Partial<Hold> = {}): Hold => ({
  key: 'pump-fault/pump-1', kind: 'shelved', rule: 'pump-fault', rule_name: { zh: '故障', en: 'fault' }, device_name: { zh: '1号泵', en: 'Pump 1' },
  by: 'li', since: '2026-11-22T04:00:00Z', one_shot: false, ...more,
})

beforeAll(async () => {
  await speak('zh')
  await withOffice(Promise.resolve())
})

describe('an alarm', () => {
  it('needs somebody while it is not seen or waits for a reset, unless it is held', () => {
    const asks = (['unacknowledged', 'acknowledged', 'returned', 'latched_unacknowledged', 'latched_acknowledged', 'normal'] as const).filter((state) => needsAttention(alarm({ state })))
    expect(asks).toEqual(['unacknowledged', 'returned', 'latched_unacknowledged', 'latched_acknowledged'])
    expect(needsAttention(alarm({ shown: 'shelved' }))).toBe(false)
    expect(needsAttention(alarm({ state: 'latched_acknowledged', shown: 'out_of_service' }))).toBe(false)
  })

  it('can be acknowledged though it is held', () => {
    expect(isUnseen(alarm({ shown: 'shelved' }))).toBe(true)
    expect(isUnseen(alarm({ state: 'acknowledged', shown: 'shelved' }))).toBe(false)
    expect(isLatched(alarm({ state: 'latched_acknowledged', shown: 'suppressed' }))).toBe(true)
  })

  it('stands behind all others when it is held', () => {
    const list = [alarm({ id: 'held', shown: 'shelved', priority: 'P1' }), alarm({ id: 'seen', state: 'acknowledged' }), alarm({ id: 'latched', state: 'latched_unacknowledged' }), alarm({ id: 'new' })]
    expect(list.sort(inboxOrder).map((a) => a.id)).toEqual(['new', 'latched', 'seen', 'held'])
  })

  it('keeps its order open while its condition is there and it is in service', () => {
    expect(keepsOpen(alarm({ state: 'acknowledged' }))).toBe(true)
    expect(keepsOpen(alarm({ shown: 'shelved' }))).toBe(true)
    expect(keepsOpen(alarm({ shown: 'out_of_service' }))).toBe(false)
    expect(keepsOpen(alarm({ state: 'latched_acknowledged' }))).toBe(false)
    expect(keepsOpen(alarm({ rule: 'patrol' }))).toBe(false)
  })
})

describe('a shelf', () => {
  it.each([
    [undefined, [hour, 4 * hour, 8 * hour]], [0.5 * hour, [0.5 * hour]], [hour, [hour]], [4 * hour, [hour, 4 * hour]],
    [6 * hour, [hour, 4 * hour, 6 * hour]], [24 * hour, [hour, 4 * hour, 8 * hour, 24 * hour]],
  ])('of %s s at most is offered as %o', (longest, want) => {
    expect(shelfTimes(longest)).toEqual(want)
  })

  it('ends on the full minute, never later than asked', () => {
    expect(shelfEnd(Date.parse('2026-11-22T04:00:59.900Z'), hour)).toBe('2026-11-22T05:00:00.000Z')
  })
})

describe('out of service', () => {
  it('is for an open order about the device, its own first', () => {
    const orders = [
      order('old', { created_at: '2026-11-21T00:00:00Z' }), order('new'), order('own', { device: null }), order('done', { state: 'verified' }),
      order('patrol', { source: 'patrol' }), order('other', { device: 'pump-2' }),
    ]
    expect(ordersFor(alarm({ order_id: 'own' }), orders).map((o) => o.id)).toEqual(['own', 'new', 'old'])
    expect(ordersFor(alarm({ device: null }), orders)).toEqual([])
  })

  it('is ended by who may hold, or works on its order; what is suppressed ends by itself', () => {
    const out = hold({ kind: 'out_of_service', order: 'o' })
    expect(mayRelease(out, false, [order('o')])).toBe(true)
    expect(mayRelease(out, false, [order('o', { state: 'closed' })])).toBe(false)
    expect(mayRelease(out, false, [])).toBe(false)
    expect(mayRelease(hold(), false, [order('o')])).toBe(false)
    expect(mayRelease(hold(), true, [])).toBe(true)
    expect(mayRelease(hold({ kind: 'suppressed' }), true, [])).toBe(false)
  })
})

it('a list of holds begins with what ends soon, and ends with what follows from others', () => {
  const list = [hold({ key: 'cause', kind: 'suppressed' }), hold({ key: 'no end', kind: 'out_of_service' }), hold({ key: 'late', until: '2026-11-22T09:00:00Z' }), hold({ key: 'soon', until: '2026-11-22T05:00:00Z' })]
  expect(list.sort(endsFirst).map((h) => h.key)).toEqual(['soon', 'late', 'no end', 'cause'])
})

it('a held alarm is called by its device and what is wrong, once', () => {
  expect(holdName(hold())).toBe('1号泵 故障')
  expect(holdName(hold({ rule_name: { zh: '1号泵 故障', en: '' } }))).toBe('1号泵 故障')
  expect(holdName(hold({ device_name: null }))).toBe('故障')
})

describe('the dialog', () => {
  type Dialog = { open(kind: string): Promise<void> }
  function show(props: Record<string, unknown>): { root: HTMLElement; asks: unknown[]; dialog: () => Promise<Dialog> } {
    const asks: unknown[] = []
    let exposed: Dialog | null = null
    const { root } = mount(HoldDialog, { alarm: alarm(), orders: [], longest: hour, busy: false, fault: '', onSubmit: (ask: unknown) => asks.push(ask), ref: (r: Dialog | null) => { exposed = r }, ...props })
    return { root, asks, dialog: async () => { await nextTick(); return exposed! } }
  }
  const type = (root: HTMLElement, id: string, value: string) => {
    const input = root.querySelector<HTMLInputElement>(`[data-testid=${id}]`)!
    input.value = value
    input.dispatchEvent(new Event('input'))
  }
  const submit = (root: HTMLElement) => root.querySelector('form')!.dispatchEvent(new Event('submit'))

  it('asks for a shelf with an end and a reason', async () => {
    const { root, asks, dialog } = show({})
    await (await dialog()).open('shelved')
    submit(root)
    expect(asks).toEqual([])
    type(root, 'hold-reason', ' 等备件 ')
    await nextTick()
    submit(root)
    expect(asks).toMatchObject([{ key: 'pump-fault/pump-1', kind: 'shelved', reason: '等备件', one_shot: false }])
    const until = Date.parse((asks[0] as { until: string }).until)
    expect(until).toBeLessThanOrEqual(Date.now() + hour * 1000)
    expect(until).toBeGreaterThan(Date.now() + (hour - 120) * 1000)
  })

  it('asks for out of service with an order, or a reason', async () => {
    const { root, asks, dialog } = show({ orders: [order('o')] })
    await (await dialog()).open('out_of_service')
    await nextTick()
    submit(root)
    expect(asks).toEqual([{ key: 'pump-fault/pump-1', kind: 'out_of_service', reason: '', order: 'o' }])
  })

  it('lets what is out of service without an order end by itself', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(Response.json({ person: { login: 'li' }, permissions: ['hold_alarm'], site: {}, now: new Date().toISOString() })))
    await signIn('li', '')
    vi.unstubAllGlobals()
    const { root, asks, dialog } = show({ orders: [] })
    await (await dialog()).open('out_of_service')
    await nextTick()
    root.querySelector<HTMLInputElement>(`[data-testid=out-${4 * hour}]`)!.click()
    type(root, 'hold-reason', '检修')
    await nextTick()
    submit(root)
    expect(asks).toEqual([{ key: 'pump-fault/pump-1', kind: 'out_of_service', reason: '检修', order: '', until: expect.any(String) }])
    const left = Date.parse((asks[0] as { until: string }).until) - Date.now()
    expect(left).toBeGreaterThan((4 * hour - 120) * 1000)
    expect(left).toBeLessThanOrEqual(4 * hour * 1000)
  })
})

describe('the alarms of a device', () => {
  it('are those of its rules that are not out of service yet', () => {
    const rules = [{ id: 'pump-fault', devices: ['pump-1', 'pump-2'] }, { id: 'dry-run', devices: ['pump-1'] }, { id: 'rests', devices: null }]
    expect(holdableKeys('pump-1', rules, [])).toEqual(['pump-fault/pump-1', 'dry-run/pump-1'])
    expect(holdableKeys('pump-1', rules, [hold({ kind: 'out_of_service' }), hold({ key: 'dry-run/pump-1', kind: 'suppressed' })])).toEqual(['dry-run/pump-1'])
    expect(holdableKeys('meter', rules, [])).toEqual([])
  })
})
