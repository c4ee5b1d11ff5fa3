import type { Point, Reading } from '../api/types'

/** How far a point's value may be believed now. */
export type Trust = 'good' | 'uncertain' | 'stale' | 'bad' | 'none'

/** trustOf judges a point at now (ms): a value older than stale_after says nothing about now. */
export function trustOf(p: Point, now: number): Trust {
  if (p.quality === 'bad') return 'bad'
  if (p.value === null || p.value === undefined || !p.time) return 'none'
  if (now - Date.parse(p.time) > p.stale_after * 1000) return 'stale'
  return p.quality === 'uncertain' ? 'uncertain' : 'good'
}

/** newer takes a reading over into a point unless the point already has a later one. */
export function newer(p: Point, r: Reading | undefined): Point {
  if (!r) return p
  if (p.time && r.time && Date.parse(r.time) < Date.parse(p.time)) return p
  return { ...p, ...r }
}

const prettyUnits: Record<string, string> = {
  m3: 'm³', 'm3/h': 'm³/h', Cel: '°C', degC: '°C', '%': '%', Ohm: 'Ω', ohm: 'Ω',
}

/** unitName is the unit as people write it: "m³" for m3. */
export function unitName(unit: string | null | undefined): string {
  return unit ? (prettyUnits[unit] ?? unit) : ''
}

/** number writes a value with a point's decimals in the locale. */
export function number(value: number, decimals: number, locale: string): string {
  const digits = Math.min(Math.max(decimals || 0, 0), 6)
  return value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** inAlarm reports whether a point is a signal that says that something is wrong. */
export function inAlarm(p: Point): boolean {
  return p.kind === 'alarm' && p.quality !== 'bad' && typeof p.value === 'number' && p.value !== 0
}
