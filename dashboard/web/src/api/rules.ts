// The shapes of docs/api.md about rules and about how good alarms are, field for field.
import type { Alarm, Priority, Text } from './types'

export interface Figure { value: number; limit: number; within: boolean; source: string }
export const figureNames = ['rate', 'peak', 'flood', 'chattering', 'standing', 'high', 'urgent', 'top'] as const
export type FigureName = (typeof figureNames)[number]

export interface Figures extends Record<FigureName, Figure> {
  from: string
  to: string
  duty: number
  told: number
  /** Of 30 days or more. */
  representative: boolean
  priorities: Record<Priority, number>
  sources: { key: string; title: Text; device?: string | null; count: number; share: number }[] | null
  acknowledged: number
  /** Seconds. */
  ack_median: number
  ack_p90: number
  now: { chattering: { key: string; title: Text; since: string; count: number }[] | null; stale: Alarm[] | null; flood_since?: string | null }
}

export type RuleOrigin = 'file' | 'own' | 'override'

export interface Rule {
  id: string
  name: Text
  advice?: Text | null
  priority: Priority
  origin: RuleOrigin
  file?: string | null
  devices: string[] | null
  condition: string
  version: number
  author?: string | null
  author_name?: string | null
  at?: string | null
  /** Alarms of it that stand. */
  standing: number
  /** Why the last saving does not count. */
  left_out?: RuleProblem[] | null
}

export interface RuleVersion { version: number; at: string; author: string; author_name?: string | null; reason: string; source: string }

export interface RuleDetail {
  rule: Rule
  source: string
  of_file?: string | null
  versions: RuleVersion[] | null
  /** That it hangs on, those that it names first before the others. */
  points: string[] | null
  /** It asks what is usual: its alarms can be taken as usual. */
  learns?: boolean
}

/** A mistake in the text of a rule; line and column from 1, 0 for the whole. */
export interface RuleProblem { path: string; line: number; column: number; what: Text; cure: Text }
export interface RuleCheck { problems: RuleProblem[] | null; devices: string[] | null; points: string[] | null }

export type OccurrenceOrder = '' | 'new' | 'reopened' | 'counted'
export interface Occurrence {
  key: string
  rule: string
  device: string
  title: Text
  priority: Priority
  from: string
  to?: string | null
  value: number
  unit: string
  order: OccurrenceOrder
}

export interface Backtest {
  from: string
  to: string
  readings: number
  alarms: number
  orders: number
  reopened: number
  notices?: number | null
  standing: number
  unheard: string[] | null
  unknown: string[] | null
  occurrences: Occurrence[] | null
}

export interface BacktestAsk { rule?: string; source?: string; from: string; to: string }
