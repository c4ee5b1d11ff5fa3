import type { Bucket } from '../api/types'

export const ranges = { '1h': 3_600_000, '24h': 86_400_000, '7d': 7 * 86_400_000, '30d': 30 * 86_400_000 } as const
export type Range = keyof typeof ranges

/** Columns for a chart: seconds, mean, lowest, highest. Where readings are missing stands null, so that no line is drawn over the gap. */
export interface Columns { t: number[]; mean: (number | null)[]; min: (number | null)[]; max: (number | null)[] }

/** columns spreads the buckets of a history, whose empty ones are left out. step is in seconds. */
export function columns(buckets: readonly Bucket[], step: number): Columns {
  const c: Columns = { t: [], mean: [], min: [], max: [] }
  let last = NaN
  for (const b of buckets) {
    const t = Date.parse(b.t) / 1000
    if (t - last > step * 2.5) push(c, last + step, null)
    push(c, t, b)
    last = t
  }
  return c
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
