import type { Bucket } from '../api/types'

export const ranges = { '1h': 3_600_000, '24h': 86_400_000, '7d': 7 * 86_400_000, '30d': 30 * 86_400_000 } as const
export type Range = keyof typeof ranges

/** Columns for a chart: seconds, mean, lowest, highest. Where readings are missing stands null, so that no line is drawn over the gap. */
export interface Columns { t: number[]; mean: (number | null)[]; min: (number | null)[]; max: (number | null)[] }

/** columns spreads the buckets of a history, whose empty ones are left out. step is in seconds. */
export function columns(buckets: readonly Bucket[], step: number): Columns {
  const c: Columns = { t: [], mean: [], min: [], max: [] }
  const times = buckets.map((b) => Date.parse(b.t) / 1000)
  const gaps = new Set(gapsIn(times, step))
  for (const [i, b] of buckets.entries()) {
    push(c, times[i]!, b)
    if (gaps.has(i)) push(c, times[i]! + step, null)
  }
  return c
}

// How many distances on either side show the rhythm in which a quantity arrives.
const neighbours = 7
const missing = 3

/**
 * gapsIn finds after which of the times readings are missing. A quantity that comes
 * less often than every step misses nothing: a gap is longer than a step, and than
 * three times the usual distance on each side that there is. The rhythm may change
 * (ten minutes in the past, seconds since today) without a gap at the change.
 */
export function gapsIn(times: readonly number[], step: number): number[] {
  const distances = times.slice(1).map((t, i) => t - times[i]!)
  return distances.flatMap((d, i) => {
    const before = distances.slice(Math.max(0, i - neighbours), i)
    const after = distances.slice(i + 1, i + 1 + neighbours)
    const usual = Math.max(...[before, after].filter((side) => side.length).map(median), step)
    return d > missing * usual ? [i] : []
  })
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}

/** lonely finds the values with a gap on both sides: a line cannot show them, a dot can. */
export function lonely(values: readonly (number | null)[]): number[] {
  return values.flatMap((v, i) => (v !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null ? [i] : []))
}

/** spread reports whether enough buckets hold readings that differ, so that there is a band to see. */
export function spread(buckets: readonly Bucket[]): boolean {
  return buckets.filter((b) => b.max > b.min).length * 10 > buckets.length
}

function push(c: Columns, t: number, b: Bucket | null): void {
  c.t.push(t)
  c.mean.push(b?.mean ?? null)
  c.min.push(b?.min ?? null)
  c.max.push(b?.max ?? null)
}

/** extremes sums up a history for people: over all buckets; null when there are none. */
export function extremes(buckets: readonly Bucket[]): { min: number; max: number; mean: number } | null {
  const n = buckets.reduce((sum, b) => sum + b.count, 0)
  if (!n) return null
  return {
    min: Math.min(...buckets.map((b) => b.min)),
    max: Math.max(...buckets.map((b) => b.max)),
    mean: buckets.reduce((sum, b) => sum + b.mean * b.count, 0) / n,
  }
}

/** thin keeps at most n items, evenly, for a table that a person reads. */
export function thin<T>(items: readonly T[], n: number): T[] {
  if (items.length <= n) return [...items]
  return Array.from({ length: n }, (_, i) => items[Math.floor((i * items.length) / n)]!)
}
