import type { Occurrence, Rule } from '../api/rules'
import type { Device } from '../api/types'

/** What a new rule begins with. */
export const template = `id: new-rule
name: {zh: 出口压力低, en: outlet pressure low}
advice: {zh: 写明该去做什么, en: Say what is to be done}
priority: P3
for: {kinds: [pump]}
when: outlet_pressure < 2 bar
clear: outlet_pressure > 2.5 bar
on_delay: 1m
`

/** What a rule without devices stands under, and one for devices of many kinds. */
export const noKind = ''
export const manyKinds = '*'

/** byKind groups rules by the kind of device that they are judged on, largest groups first, those of many kinds or none last. */
export function byKind(rules: readonly Rule[], devices: readonly Device[]): { kind: string; rules: Rule[] }[] {
  const kindOf = new Map(devices.map((d) => [d.id, d.kind]))
  const groups = new Map<string, Rule[]>()
  for (const r of rules) {
    const kinds = [...new Set((r.devices ?? []).map((id) => kindOf.get(id) ?? noKind))]
    const kind = kinds.length > 1 ? manyKinds : (kinds[0] ?? noKind)
    groups.set(kind, [...(groups.get(kind) ?? []), r])
  }
  const rank = (kind: string) => [manyKinds, noKind].indexOf(kind)
  return [...groups].map(([kind, list]) => ({ kind, rules: list.sort((a, b) => a.priority.localeCompare(b.priority) || a.id.localeCompare(b.id)) }))
    .sort((a, b) => rank(a.kind) - rank(b.kind) || b.rules.length - a.rules.length || a.kind.localeCompare(b.kind))
}

/** found reports whether all words of a search stand somewhere in the rule. */
export function found(r: Rule, q: string, names: ReadonlyMap<string, string>): boolean {
  const devices = (r.devices ?? []).map((id) => `${id} ${names.get(id) ?? ''}`)
  const text = [r.id, r.name.zh, r.name.en, r.priority, r.condition, r.file ?? '', ...devices].join(' ').toLowerCase()
  return q.toLowerCase().split(/\s+/).every((word) => text.includes(word))
}

/** offsetOf is where line and column (from 1) stand in a text; what lies outside is brought to its edge. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split('\n')
  const n = Math.min(Math.max(line, 1), lines.length)
  const before = lines.slice(0, n - 1).reduce((sum, l) => sum + l.length + 1, 0)
  return before + Math.min(Math.max(column, 1) - 1, lines[n - 1]!.length)
}

/** idOf reads the id that the text of a rule gives it; "" when there is none. */
export function idOf(source: string): string {
  return /^\s*(?:-\s+)?\{?\s*id:\s*["']?([^\s"',}#]+)/m.exec(source)?.[1] ?? ''
}

export interface DiffLine { sign: '+' | '-' | ' '; text: string }

/** diffLines says how to come from one text to another, by their longest common lines. */
export function diffLines(from: string, to: string): DiffLine[] {
  const a = lines(from)
  const b = lines(to)
  // common[i][j] is how many lines a from i on and b from j on have in common.
  const common = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1))
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i]![j] = a[i] === b[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!)
    }
  }
  const out: DiffLine[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ sign: ' ', text: a[i]! })
      i++
      j++
    } else if (i < a.length && (j === b.length || common[i + 1]![j]! >= common[i]![j + 1]!)) {
      out.push({ sign: '-', text: a[i++]! })
    } else {
      out.push({ sign: '+', text: b[j++]! })
    }
  }
  return out
}

function lines(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

/** Seconds. */
export interface Band { from: number; to: number }

/** bandsOf is when the alarms of a device stood; what stands at the end goes on until end. */
export function bandsOf(occurrences: readonly Occurrence[], device: string, end: string): Band[] {
  return occurrences.filter((o) => o.device === device)
    .map((o) => ({ from: Date.parse(o.from) / 1000, to: Date.parse(o.to ?? end) / 1000 }))
}

/** loudest lists the devices that occurred, the most often first, and then the others. */
export function loudest(occurrences: readonly Occurrence[], devices: readonly string[]): string[] {
  const count = new Map(devices.map((d) => [d, 0]))
  for (const o of occurrences) count.set(o.device, (count.get(o.device) ?? 0) + 1)
  return [...count].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([d]) => d)
}

const signs: Record<string, string> = { '==': '=', '!=': '≠', '>=': '≥', '<=': '≤' }

/**
 * inWords puts names in the place of what a condition calls quantities and functions;
 * a function is asked for with "()" behind it. What has no name stays as it is, and so
 * does what stands in quotes.
 */
export function inWords(condition: string, nameOf: (word: string) => string | undefined): string {
  return condition.replace(/"[^"]*"|'[^']*'|[A-Za-z_]\w*(\()?|[=!<>]=/g, (word, call?: string) => {
    if (signs[word]) return signs[word]
    if (!call) return nameOf(word) ?? word
    const name = nameOf(`${word})`)
    return name === undefined ? word : `${name}(`
  })
}
