// Times of the API are RFC 3339 in UTC; people see them in the site's zone.

export type AgeUnit = 'now' | 's' | 'm' | 'h' | 'd'

/** ageOf says how long ago something was, in the largest unit that fits; the future counts as now. */
export function ageOf(then: number, now: number): { unit: AgeUnit; n: number } {
  const s = Math.floor((now - then) / 1000)
  if (s < 3) return { unit: 'now', n: 0 }
  if (s < 60) return { unit: 's', n: s }
  if (s < 3600) return { unit: 'm', n: Math.floor(s / 60) }
  if (s < 48 * 3600) return { unit: 'h', n: Math.floor(s / 3600) }
  return { unit: 'd', n: Math.floor(s / 86400) }
}

/** span is a length of time as a clock shows it: "45 min", "3 h 20 min", "2 d 4 h". */
export function span(ms: number, locale: string): string {
  const zh = locale.startsWith('zh')
  const [d, h, m] = zh ? [' 天', ' 小时', ' 分钟'] : [' d', ' h', ' min']
  const minutes = Math.max(0, Math.floor(ms / 60_000))
  if (minutes < 60) return `${minutes}${m}`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 ? `${hours}${h} ${minutes % 60}${m}` : `${hours}${h}`
  return hours % 24 ? `${Math.floor(hours / 24)}${d} ${hours % 24}${h}` : `${Math.floor(hours / 24)}${d}`
}

const formats = new Map<string, Intl.DateTimeFormat>()

function format(locale: string, zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale} ${zone} ${JSON.stringify(options)}`
  let f = formats.get(key)
  if (!f) {
    f = new Intl.DateTimeFormat(locale, { ...options, timeZone: zone, hourCycle: 'h23' })
    formats.set(key, f)
  }
  return f
}

/** localDay is the site's calendar day: "2026-11-22". */
export function localDay(at: number, zone: string): string {
  return format('en-CA', zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).format(at)
}

/** addDays moves a calendar day: addDays('2026-02-28', 1) is '2026-03-01'. */
export function addDays(day: string, n: number): string {
  const d = new Date(`${day}T00:00:00Z`)
  d.setUTCDate(d.getUTCDate() + n)
  return d.toISOString().slice(0, 10)
}

export function localHour(at: number, zone: string): number {
  return Number(format('en-GB', zone, { hour: '2-digit' }).format(at))
}

/** clock is the time of day, with seconds when asked. */
export function clock(at: number, zone: string, locale: string, seconds = false): string {
  return format(locale, zone, { hour: '2-digit', minute: '2-digit', second: seconds ? '2-digit' : undefined }).format(at)
}

/** moment is the time of day, with the date before it unless it is today, and the year unless it is this one. */
export function moment(at: number, zone: string, locale: string, now: number): string {
  const day = localDay(at, zone)
  const today = localDay(now, zone)
  if (day === today) return clock(at, zone, locale)
  const year = day.slice(0, 4) === today.slice(0, 4) ? undefined : 'numeric'
  return format(locale, zone, { year, month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' }).format(at)
}

/** full is the exact time, for whoever asks: date, seconds. */
export function full(at: number, zone: string, locale: string): string {
  return format(locale, zone, {
    year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
  }).format(at)
}

/** dayName is a calendar day for people: "11月22日周日". */
export function dayName(day: string, locale: string): string {
  return format(locale, 'UTC', { month: 'short', day: 'numeric', weekday: 'short' }).format(Date.parse(`${day}T12:00:00Z`))
}
