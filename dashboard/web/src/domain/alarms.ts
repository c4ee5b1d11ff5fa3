import type { Alarm, ShownState } from '../api/types'
import type { Tone } from './orders'

export const alarmTone: Record<ShownState, Tone> = {
  unacknowledged: 'alarm', acknowledged: 'warn', returned: 'info', normal: 'quiet',
  latched_unacknowledged: 'info', latched_acknowledged: 'info', shelved: 'quiet', suppressed: 'quiet', out_of_service: 'quiet',
}

// What is held stands at the end: nobody is to be called for it.
const urgency: Record<ShownState, number> = {
  unacknowledged: 0, returned: 1, latched_unacknowledged: 1, acknowledged: 2, latched_acknowledged: 2,
  shelved: 3, suppressed: 3, out_of_service: 3, normal: 4,
}

/** inboxOrder puts what nobody has seen first, then the higher priority, then the newest. */
export function inboxOrder(a: Alarm, b: Alarm): number {
  return urgency[a.shown] - urgency[b.shown]
    || a.priority.localeCompare(b.priority)
    || b.last_at.localeCompare(a.last_at)
}

/** needsAcknowledging reports whether nobody has seen the alarm as it is, and nothing keeps it quiet. */
export function needsAcknowledging(a: Alarm): boolean {
  return urgency[a.shown] < 2
}
