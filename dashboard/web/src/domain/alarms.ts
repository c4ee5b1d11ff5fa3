import type { Alarm, AlarmState } from '../api/types'
import type { Tone } from './orders'

export const alarmTone: Record<AlarmState, Tone> = {
  unacknowledged: 'alarm', acknowledged: 'warn', returned: 'info', normal: 'quiet',
}

const urgency: Record<AlarmState, number> = { unacknowledged: 0, returned: 1, acknowledged: 2, normal: 3 }

/** inboxOrder puts what nobody has seen first, then the higher priority, then the newest. */
export function inboxOrder(a: Alarm, b: Alarm): number {
  return urgency[a.state] - urgency[b.state]
    || a.priority.localeCompare(b.priority)
    || b.last_at.localeCompare(a.last_at)
}

export function needsAcknowledging(a: Alarm): boolean {
  return a.state === 'unacknowledged' || a.state === 'returned'
}
