import type { Assignable, Order, OrderAction, OrderState } from '../api/types'

/** The tones that a state can have; each also has an icon and a word. */
export type Tone = 'ok' | 'warn' | 'alarm' | 'info' | 'quiet'

export const orderTone: Record<OrderState, Tone> = {
  new: 'warn', assigned: 'info', accepted: 'info', arrived: 'info', in_progress: 'info', on_hold: 'warn',
  completed: 'warn', verified: 'ok', closed: 'quiet', cancelled: 'quiet', reopened: 'warn',
}

/** The way of an order that nothing holds up. */
export const steps: readonly OrderState[] = [
  'new', 'assigned', 'accepted', 'arrived', 'in_progress', 'completed', 'verified', 'closed',
]

/** stepOf is how far an order has come on its way; -1 for cancelled. */
export function stepOf(state: OrderState): number {
  if (state === 'reopened') return 0
  if (state === 'on_hold') return steps.indexOf('in_progress')
  return steps.indexOf(state)
}

const ended: readonly OrderState[] = ['verified', 'closed', 'cancelled']

/** isOpen reports whether work is still owed. */
export function isOpen(state: OrderState): boolean {
  return !ended.includes(state)
}

const wantsNote: readonly OrderAction[] = ['return', 'hold', 'complete', 'cancel', 'reopen', 'comment']

/** needsNote reports whether the server refuses the action without a note. */
export function needsNote(action: OrderAction): boolean {
  return wantsNote.includes(action)
}

const forward: readonly OrderAction[] = ['accept', 'arrive', 'start', 'resume', 'complete', 'verify', 'close']

export interface Offer {
  /** The one thing that brings the order on. */
  main: OrderAction | null
  /** The rest, without assign, comment and photo, which have places of their own. */
  others: OrderAction[]
  assign: boolean
  comment: boolean
  photo: boolean
}

/** offer sorts what a person may do into what a page shows. */
export function offer(actions: readonly OrderAction[] | null | undefined): Offer {
  const may = actions ?? []
  const main = forward.find((a) => may.includes(a)) ?? null
  return {
    main,
    others: may.filter((a) => a !== main && !['assign', 'comment', 'photo', 'tick', 'untick'].includes(a)),
    assign: may.includes('assign'),
    comment: may.includes('comment'),
    photo: may.includes('photo'),
  }
}

/** suggest is who should get the order: of the trade that it needs, whoever has the fewest; not who has it now. */
export function suggest(order: Order, people: readonly Assignable[]): string {
  const trade = order.source === 'patrol' ? 'guard' : 'technician'
  const free = people.filter((p) => p.login !== order.assignee)
  const fit = free.filter((p) => p.role === trade)
  const best = [...(fit.length ? fit : free)].sort((a, b) => a.open_orders - b.open_orders)
  return best[0]?.login ?? ''
}

export interface Due { step: 'accept' | 'arrive' | 'finish'; at: number }

/** dueNow is the clock that runs now, or null when none does. */
export function dueNow(o: Order): Due | null {
  if (!isOpen(o.state) || o.state === 'completed') return null
  if (o.accept_by && !o.accepted_at) return { step: 'accept', at: Date.parse(o.accept_by) }
  if (o.arrive_by && !o.arrived_at) return { step: 'arrive', at: Date.parse(o.arrive_by) }
  return o.finish_by ? { step: 'finish', at: Date.parse(o.finish_by) } : null
}

const weight = { P1: 0, P2: 1, P3: 2, P4: 3 } as const

/** urgentFirst sorts by priority, then by the oldest. */
export function urgentFirst(a: Order, b: Order): number {
  return weight[a.priority] - weight[b.priority] || a.created_at.localeCompare(b.created_at)
}

export type Show = 'open' | 'mine' | 'done' | 'all'

/** belongs reports whether an order that just changed is shown in a list. */
export function belongs(o: Order, show: Show, login: string): boolean {
  if (show === 'open') return isOpen(o.state)
  if (show === 'done') return !isOpen(o.state)
  return show === 'all' || o.assignee === login
}
