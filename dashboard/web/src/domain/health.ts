import type { Health } from '../api/types'

/** One thing on the health page that somebody should look at. */
export type Worry =
  | { what: 'lines' | 'gateways' | 'dropped' | 'set_aside' | 'mistimed'; n: number }
  | { what: 'behind'; name: string; n: number }
  | { what: 'history' | 'ledger' }

// A consumer that is a few batches behind is working, not stuck.
const behindLimit = 1_000

/** worries lists what is not as it should be, the worst first. */
export function worries(h: Health): Worry[] {
  const out: Worry[] = []
  if (h.ledger?.error) out.push({ what: 'ledger' }) // nothing is judged meanwhile
  const down = (h.gateways ?? []).filter((g) => !g.online).length
  if (down) out.push({ what: 'gateways', n: down })
  const lines = (h.lines ?? []).filter((l) => l.state === 'down').length
  if (lines) out.push({ what: 'lines', n: lines })
  if (h.history?.error) out.push({ what: 'history' })
  const dropped = (h.streams ?? []).reduce((n, s) => n + s.dropped, 0)
  if (dropped) out.push({ what: 'dropped', n: dropped })
  if (h.judge?.set_aside) out.push({ what: 'set_aside', n: h.judge.set_aside })
  if (h.judge?.mistimed) out.push({ what: 'mistimed', n: h.judge.mistimed })
  for (const c of h.consumers ?? []) if (c.behind > behindLimit) out.push({ what: 'behind', name: c.name, n: c.behind })
  return out
}

/** bytes writes a size: "1.2 MB". */
export function bytes(n: number): string {
  if (n < 1_000) return `${n} B`
  if (n < 1_000_000) return `${(n / 1_000).toFixed(1)} kB`
  return `${(n / 1_000_000).toFixed(1)} MB`
}
