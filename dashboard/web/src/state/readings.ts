import { shallowReactive } from 'vue'
import type { Point, Reading } from '../api/types'
import { newer } from '../domain/points'

const latest = shallowReactive(new Map<string, Reading>())

/** takeReadings keeps what the event stream says of points. */
export function takeReadings(readings: readonly Reading[]): void {
  for (const r of readings) latest.set(r.id, r)
}

/** current is the point with the newest reading that this page knows of. */
export function current(p: Point): Point {
  return newer(p, latest.get(p.id))
}
