// What the pages write, in the page's language and the site's zone.
import type { Alarm, Order, Point, Text } from '../api/types'
import { ageOf, clock, full, moment, span } from '../domain/time'
import { inAlarm, number, trustOf, unitName } from '../domain/points'
import { has, locale, pick, t } from '../i18n'
import { now } from './clock'
import { zone } from './session'

export function age(iso: string | null | undefined): string {
  if (!iso) return t('time.never')
  const { unit, n } = ageOf(Date.parse(iso), now.value)
  return t(`time.${unit}`, { n })
}

export function when(iso: string | number): string {
  return moment(typeof iso === 'number' ? iso : Date.parse(iso), zone.value, locale(), now.value)
}

export function hour(iso: string | number, seconds = false): string {
  return clock(typeof iso === 'number' ? iso : Date.parse(iso), zone.value, locale(), seconds)
}

export function exactly(iso: string): string {
  return full(Date.parse(iso), zone.value, locale())
}

export function lasting(ms: number): string {
  return ms < 60_000 ? t('time.soon') : span(ms, locale())
}

export function reason(code: string | null | undefined): string {
  if (!code) return ''
  const key = `reason.${code}`
  return has(key) ? t(key) : code
}

/** valueText is a point's value without its unit. */
export function valueText(p: Point): string {
  if (p.value === null || p.value === undefined || p.quality === 'bad') return t('point.no_value')
  const label = p.labels?.[String(p.value)]
  if (label) return pick(label)
  if (p.kind === 'alarm') return t(inAlarm(p) ? 'point.alarm' : 'point.normal')
  return number(p.value, p.decimals, locale())
}

/** valueUnit is the unit beside the value; none beside words. */
export function valueUnit(p: Point): string {
  if (p.value === null || p.value === undefined || p.quality === 'bad') return ''
  return p.labels?.[String(p.value)] || p.kind === 'alarm' ? '' : unitName(p.unit)
}

/** doubt says in words why a value is not to be believed now; "" when it is. */
export function doubt(p: Point): string {
  switch (trustOf(p, now.value)) {
    case 'bad': return reason(p.reason) || t('point.bad')
    case 'none': return t('point.no_value')
    case 'stale': return t('point.stale')
    case 'uncertain': return reason(p.reason) || t('point.uncertain')
    case 'good': return ''
  }
}

export function where(x: Pick<Alarm | Order, 'device_name' | 'device' | 'place_name' | 'place'>): string {
  return [name(x.place_name, x.place), name(x.device_name, x.device)].filter(Boolean).join(' · ')
}

function name(text: Text | null | undefined, id: string | null | undefined): string {
  return pick(text) || id || ''
}

export function kindName(kind: string): string {
  const key = `kind.${kind}`
  return has(key) ? t(key) : kind
}

export function alarmValue(a: Alarm): string {
  if (a.value === null || a.value === undefined || !a.unit) return ''
  return `${a.value.toLocaleString(locale(), { maximumFractionDigits: 2 })} ${unitName(a.unit)}`
}
