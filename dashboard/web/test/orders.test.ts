import { describe, expect, it } from 'vitest'
import type { Order, OrderAction, OrderState } from '../src/api/types'
import { belongs, dueNow, isOpen, needsNote, offer, orderTone, stepOf, steps, suggest, urgentFirst } from '../src/domain/orders'

const order = (more: Partial<Order> = {}): Order => ({
  id: 'o', no: '20261122-0001', source: 'alarm', title: { zh: '泵', en: 'Pump' }, priority: 'P2', state: 'new', count: 1,
  created_at: '2026-11-22T01:00:00Z', last_at: '2026-11-22T01:00:00Z', updated_at: '2026-11-22T01:00:00Z',
  accept_by: '2026-11-22T01:10:00Z', arrive_by: '2026-11-22T01:30:00Z', finish_by: '2026-11-22T13:00:00Z',
  overdue: false, reopened: 0, version: 1, ...more,
})

describe('what a page offers', () => {
  it.each<[OrderAction[], OrderAction | null, OrderAction[]]>([
    [['assign', 'cancel', 'comment', 'photo'], null, ['cancel']],
    [['accept', 'return', 'comment', 'photo'], 'accept', ['return']],
    [['arrive', 'return'], 'arrive', ['return']],
    [['start', 'complete', 'hold'], 'start', ['complete', 'hold']],
    [['complete', 'hold'], 'complete', ['hold']],
    [['complete', 'hold', 'tick', 'untick'], 'complete', ['hold']],
    [['resume', 'cancel'], 'resume', ['cancel']],
    [['verify', 'reopen'], 'verify', ['reopen']],
    [['close', 'reopen'], 'close', ['reopen']],
    [['reopen'], null, ['reopen']],
    [[], null, []],
  ])('%o brings on by %s, beside %o', (actions, main, others) => {
    const o = offer(actions)
    expect([o.main, o.others]).toEqual([main, others])
    expect([o.assign, o.comment, o.photo]).toEqual([actions.includes('assign'), actions.includes('comment'), actions.includes('photo')])
  })
  it('is nothing without actions', () => {
    expect(offer(null)).toEqual({ main: null, others: [], assign: false, comment: false, photo: false })
  })
  it('asks for a note where the server wants one', () => {
    const all: OrderAction[] = ['assign', 'accept', 'return', 'arrive', 'start', 'hold', 'resume', 'complete', 'verify', 'close', 'cancel', 'reopen', 'comment', 'photo']
    expect(all.filter(needsNote)).toEqual(['return', 'hold', 'complete', 'cancel', 'reopen', 'comment'])
  })
})

describe('suggest', () => {
  const people = [
    { login: 'zhang', name: '张', role: 'technician' as const, open_orders: 3 },
    { login: 'chen', name: '陈', role: 'technician' as const, open_orders: 1 },
    { login: 'zhao', name: '赵', role: 'guard' as const, open_orders: 0 },
  ]
  it('is whoever of the trade has the fewest', () => expect(suggest(order(), people)).toBe('chen'))
  it('is a guard for a patrol', () => expect(suggest(order({ source: 'patrol' }), people)).toBe('zhao'))
  it('is not who has it', () => expect(suggest(order({ assignee: 'chen' }), people)).toBe('zhang'))
  it('is anybody rather than nobody', () => expect(suggest(order({ source: 'patrol', assignee: 'zhao' }), people)).toBe('chen'))
  it('is nobody when there is nobody', () => expect(suggest(order(), [])).toBe(''))
})

describe('the clock that runs', () => {
  it.each<[string, Partial<Order>, string | null]>([
    ['until it is accepted', {}, 'accept'],
    ['until somebody is there', { state: 'accepted', accepted_at: '2026-11-22T01:05:00Z' }, 'arrive'],
    ['until it is done', { state: 'in_progress', accepted_at: 'x', arrived_at: 'x' }, 'finish'],
    ['not after it is completed', { state: 'completed', accepted_at: 'x', arrived_at: 'x' }, null],
    ['not after it is closed', { state: 'closed' }, null],
    ['not without a time', { accept_by: null, arrive_by: null, finish_by: null }, null],
  ])('%s', (_, more, step) => {
    expect(dueNow(order(more))?.step ?? null).toBe(step)
  })
})

describe('states', () => {
  const states = Object.keys(orderTone) as OrderState[]
  it('are open until verified, closed or cancelled', () => {
    expect(states.filter((s) => !isOpen(s))).toEqual(['verified', 'closed', 'cancelled'])
  })
  it('stand on the way, but for the cancelled', () => {
    expect(states.filter((s) => stepOf(s) < 0)).toEqual(['cancelled'])
    expect(steps.map(stepOf)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect([stepOf('on_hold'), stepOf('reopened')]).toEqual([4, 0])
  })
  it('decide in which list an order is', () => {
    expect(belongs(order({ state: 'new' }), 'open', 'zhang')).toBe(true)
    expect(belongs(order({ state: 'closed' }), 'open', 'zhang')).toBe(false)
    expect(belongs(order({ state: 'closed' }), 'done', 'zhang')).toBe(true)
    expect(belongs(order({ assignee: 'zhang' }), 'mine', 'zhang')).toBe(true)
    expect(belongs(order({ assignee: 'chen' }), 'mine', 'zhang')).toBe(false)
    expect(belongs(order({ assignee: 'chen' }), 'all', 'zhang')).toBe(true)
  })
  it('sort by priority, then by age', () => {
    const list = [order({ id: 'a', priority: 'P3' }), order({ id: 'b', created_at: '2026-11-22T02:00:00Z' }), order({ id: 'c' })]
    expect(list.sort(urgentFirst).map((o) => o.id)).toEqual(['c', 'b', 'a'])
  })
})
