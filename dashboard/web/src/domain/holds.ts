// What keeps alarms quiet, and what may be done about an alarm.
import type { Alarm, AlarmState, Hold, HoldKind, Order } from '../api/types'
import { needsAcknowledging } from './alarms'
import { isOpen, type Tone } from './orders'

export const holdTone: Record<HoldKind, Tone> = { shelved: 'warn', out_of_service: 'warn', suppressed: 'quiet' }

const active: readonly AlarmState[] = ['unacknowledged', 'acknowledged']

/** isActive reports whether the condition is there. */
export function isActive(a: Alarm): boolean {
  return active.includes(a.state)
}

/** isLatched reports whether the alarm waits for a reset. */
export function isLatched(a: Alarm): boolean {
  return a.state === 'latched_unacknowledged' || a.state === 'latched_acknowledged'
}

/** isUnseen reports whether the alarm can be acknowledged, held or not. */
export function isUnseen(a: Alarm): boolean {
  return needsAcknowledging({ ...a, shown: a.state })
}

/** needsAttention reports whether somebody has to do something about the alarm here. */
export function needsAttention(a: Alarm): boolean {
  return needsAcknowledging(a) || (isLatched(a) && a.shown === a.state)
}

/** keepsOpen reports whether the alarm stands in the way of verifying and closing its order. A missed patrol stays missed. */
export function keepsOpen(a: Alarm): boolean {
  return isActive(a) && a.shown !== 'out_of_service' && !ofPatrol(a)
}

/** ofPatrol reports whether an alarm is of a missed round, which is no condition that could be put off. */
export function ofPatrol(a: Pick<Alarm, 'rule'>): boolean {
  return a.rule === 'patrol'
}

const usual = [3_600, 4 * 3_600, 8 * 3_600]

/** shelfTimes are the lengths to offer, in seconds: the usual ones as far as they are allowed, and the longest. */
export function shelfTimes(longest: number | null | undefined): number[] {
  return longest ? [...usual.filter((s) => s < longest), longest] : usual
}

/** shelfEnd is when a shelf of so many seconds ends: on the full minute before, so that clocks that differ a little do not make it too long. */
export function shelfEnd(now: number, seconds: number): string {
  return new Date(Math.floor((now + seconds * 1_000) / 60_000) * 60_000).toISOString()
}

/** ordersFor are the orders for which an alarm can go out of service: work is owed on them, and they are about it. */
export function ordersFor(a: Pick<Alarm, 'device' | 'order_id'>, orders: readonly Order[]): Order[] {
  return orders.filter((o) => isOpen(o.state) && o.source !== 'patrol' && (o.id === a.order_id || (!!a.device && o.device === a.device)))
    .sort((x, y) => Number(y.id === a.order_id) - Number(x.id === a.order_id) || y.created_at.localeCompare(x.created_at))
}

/** mayRelease reports whether a person may end a hold: whoever may hold, and who works on the order of what is out of service. */
export function mayRelease(h: Hold, mayHold: boolean, mine: readonly Order[]): boolean {
  if (h.kind === 'suppressed') return false
  return mayHold || (h.kind === 'out_of_service' && mine.some((o) => o.id === h.order && isOpen(o.state)))
}

/** endsFirst puts what needs a person's eye before what follows from another alarm, and what ends soon first. */
export function endsFirst(a: Hold, b: Hold): number {
  return Number(a.kind === 'suppressed') - Number(b.kind === 'suppressed')
    || (a.until ?? '9').localeCompare(b.until ?? '9')
    || a.since.localeCompare(b.since)
}

/** holdableKeys are the alarms that rules may raise of a device and that are not out of service yet, by key. */
export function holdableKeys(device: string, rules: readonly { id: string; devices: string[] | null }[], holds: readonly Hold[]): string[] {
  const out = new Set(holds.filter((h) => h.kind === 'out_of_service').map((h) => h.key))
  return rules.filter((r) => r.devices?.includes(device)).map((r) => `${r.id}/${device}`).filter((key) => !out.has(key))
}
