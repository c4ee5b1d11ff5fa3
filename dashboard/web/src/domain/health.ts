import type { Balance, Health, Law, LineHealth } from '../api/types'

/** One thing on the health page that somebody should look at. */
export type Worry =
  | { what: 'lines' | 'gateways' | 'silent' | 'lost' | 'dead' | 'refused' | 'dropped' | 'set_aside' | 'mistimed'; n: number }
  | { what: 'behind'; name: string; n: number }
  | { what: 'crowded'; name: string }
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
  const silent = (h.lines ?? []).reduce((n, l) => n + (l.state === 'up' ? fleet(l).offline : 0), 0)
  if (silent) out.push({ what: 'silent', n: silent })
  for (const l of h.lines ?? []) if (crowded(l)) out.push({ what: 'crowded', name: l.id })
  const lost = Object.values(h.collector?.dropped ?? {}).reduce((sum, n) => sum + n, 0)
  if (lost) out.push({ what: 'lost', n: lost })
  if (h.dead_letters?.length) out.push({ what: 'dead', n: h.dead_letters.length })
  if (h.history?.refused?.held) out.push({ what: 'refused', n: h.history.refused.held })
  if (h.history?.error) out.push({ what: 'history' })
  const dropped = (h.streams ?? []).reduce((n, s) => n + s.dropped, 0)
  if (dropped) out.push({ what: 'dropped', n: dropped })
  if (h.judge?.set_aside) out.push({ what: 'set_aside', n: h.judge.set_aside })
  if (h.judge?.mistimed) out.push({ what: 'mistimed', n: h.judge.mistimed })
  for (const c of h.consumers ?? []) if (c.behind > behindLimit) out.push({ what: 'behind', name: c.name, n: c.behind })
  return out
}

// What the gateway says itself of the chain, and how a page without that would say it.
const saidBy: Partial<Record<Worry['what'], string>> = { ledger: 'ledger', gateways: 'gateway', lines: 'line', history: 'history', behind: 'catching' }

/** beside leaves the worries of which the gateway's own sentences say nothing. */
export function beside(h: Health): Worry[] {
  const said = new Set((h.summary?.all ?? []).map((f) => f.what))
  return worries(h).filter((w) => !said.has(saidBy[w.what] ?? ''))
}

/** A row of the law: one place, or the whole. */
export interface LawRow extends Balance { place: 'stream' | 'hub' | 'history' | 'judge'; name: string; stream: string }

/** lawRows lists the places of the law, as facts pass them. */
export function lawRows(law: Law): LawRow[] {
  const rows: LawRow[] = (law.streams ?? []).map((s) => ({ ...s, place: 'stream', name: s.gateway, stream: s.stream }))
  for (const place of ['hub', 'history', 'judge'] as const) {
    const of = law[place]
    if (of) rows.push({ ...of, place, name: '', stream: '' })
  }
  return rows
}

/** reasons are those of what was dropped, the most first. */
export function reasons(by: Record<string, number> | null | undefined): [string, number][] {
  return Object.entries(by ?? {}).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1])
}

/** fleet counts the devices of a line; what is not known yet is neither on nor off. */
export function fleet(l: LineHealth): { all: number; offline: number } {
  const devices = l.devices ?? []
  return { all: devices.length, offline: devices.filter((d) => d.online === false).length }
}

// Above this share of its time a line has no room left to ask anew.
const crowdedAbove = 0.9

/** crowded reports whether a line is asked for more than it has time for. */
export function crowded(l: LineHealth): boolean {
  return (l.planned ?? 0) > crowdedAbove || l.utilisation > crowdedAbove
}

/** isReader tells the line of a card reader from one of devices. */
export function isReader(l: LineHealth): boolean {
  return !l.devices?.length && l.requests === 0
}

export type LineTrouble = 'no_box' | 'stranger' | 'busy' | 'missing' | 'refused' | 'unreachable' | 'other'

// What the system says of a line, and what it means.
const troubles: readonly [RegExp, LineTrouble][] = [
  [/no box has dialled in/, 'no_box'],
  [/no line expects|did not register/, 'stranger'],
  [/in use by another program/, 'busy'],
  [/no such file|no such device|unplugged/, 'missing'],
  [/connection refused/, 'refused'],
  [/timeout|no route|unreachable/, 'unreachable'],
]

/** lineTrouble says why a line is down. */
export function lineTrouble(reason: string): LineTrouble {
  return troubles.find(([words]) => words.test(reason))?.[1] ?? 'other'
}

const protocols: Record<string, string> = {
  modbus: 'Modbus', 'modbus-rtu': 'Modbus RTU', 'modbus-ascii': 'Modbus ASCII', 'modbus-tcp': 'Modbus TCP',
  dlt645: 'DL/T 645', cjt188: 'CJ/T 188', mbus: 'M-Bus', 'nfc-ascii': 'NFC ASCII', rdm6300: 'RDM6300', pn532: 'PN532', keyboard: 'USB HID',
}

/** protocolName is a protocol as people write it. */
export function protocolName(protocol: string | undefined): string {
  return protocols[protocol ?? ''] ?? protocol ?? ''
}

/** bytes writes a size: "1.2 MB". */
export function bytes(n: number): string {
  if (n < 1_000) return `${n} B`
  if (n < 1_000_000) return `${(n / 1_000).toFixed(1)} kB`
  return `${(n / 1_000_000).toFixed(1)} MB`
}
