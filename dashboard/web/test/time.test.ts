import { describe, expect, it } from 'vitest'
import { addDays, ageOf, clock, dayName, full, localDay, localHour, moment, span } from '../src/domain/time'

const shanghai = 'Asia/Shanghai'
const at = (iso: string) => Date.parse(iso)

describe('ageOf', () => {
  it.each([
    [-5_000, 'now', 0], [0, 'now', 0], [2_999, 'now', 0], [3_000, 's', 3], [59_999, 's', 59], [60_000, 'm', 1],
    [3_599_000, 'm', 59], [3_600_000, 'h', 1], [47 * 3_600_000, 'h', 47], [48 * 3_600_000, 'd', 2],
  ])('%i ms is %s %i', (ms, unit, n) => {
    expect(ageOf(1_000_000_000_000 - ms, 1_000_000_000_000)).toEqual({ unit, n })
  })
})

describe('the site’s zone', () => {
  it('has its own day and hour', () => {
    expect(localDay(at('2026-11-22T15:59:59Z'), shanghai)).toBe('2026-11-22')
    expect(localDay(at('2026-11-22T16:00:00Z'), shanghai)).toBe('2026-11-23')
    expect(localHour(at('2026-11-22T16:00:00Z'), shanghai)).toBe(0)
    expect(clock(at('2026-11-22T16:00:05Z'), shanghai, 'zh-CN')).toBe('00:00')
    expect(clock(at('2026-11-22T16:00:05Z'), shanghai, 'en-GB', true)).toBe('00:00:05')
  })

  it('keeps its clock over a change of summer time', () => {
    expect(clock(at('2026-10-25T00:30:00Z'), 'Europe/Berlin', 'en-GB')).toBe('02:30')
    expect(clock(at('2026-10-25T01:30:00Z'), 'Europe/Berlin', 'en-GB')).toBe('02:30')
  })
})

describe('moment', () => {
  const now = at('2026-11-22T04:00:00Z')
  it('is the time alone today, with the date on another day, with the year in another year', () => {
    expect(moment(at('2026-11-22T01:05:00Z'), shanghai, 'en-GB', now)).toBe('09:05')
    expect(moment(at('2026-11-21T15:59:00Z'), shanghai, 'zh-CN', now)).toBe('11月21日 23:59')
    expect(moment(at('2026-11-21T16:01:00Z'), shanghai, 'zh-CN', now)).toBe('00:01')
    expect(moment(at('2025-11-22T01:05:00Z'), shanghai, 'en-GB', now)).toContain('2025')
  })
  it('has an exact form', () => {
    expect(full(at('2026-11-22T01:05:09Z'), shanghai, 'zh-CN')).toBe('2026/11/22 09:05:09')
  })
})

describe('addDays', () => {
  it.each([['2026-02-28', 1, '2026-03-01'], ['2028-02-28', 1, '2028-02-29'], ['2026-01-01', -1, '2025-12-31'], ['2026-11-22', 0, '2026-11-22']])('%s %i is %s', (day, n, want) => {
    expect(addDays(day, n)).toBe(want)
  })
  it('is named as people name it', () => {
    expect(dayName('2026-11-22', 'zh-CN')).toBe('11月22日周日')
    expect(dayName('2026-11-22', 'en-GB')).toContain('22 Nov')
  })
})

describe('span', () => {
  it.each([[0, '0 min'], [59 * 60_000, '59 min'], [60 * 60_000, '1 h'], [200 * 60_000, '3 h 20 min'], [24 * 3_600_000, '1 d'], [52 * 3_600_000, '2 d 4 h'], [-5, '0 min']])('%i ms is %s', (ms, want) => {
    expect(span(ms, 'en-GB')).toBe(want)
  })
  it('speaks Chinese', () => expect(span(200 * 60_000, 'zh-CN')).toBe('3 小时 20 分钟'))
})
