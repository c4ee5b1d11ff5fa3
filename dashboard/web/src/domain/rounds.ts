import type { Round, RoundState, Verdict, Visit } from '../api/types'
import type { Tone } from './orders'

export const roundTone: Record<RoundState, Tone> = {
  scheduled: 'quiet', due: 'warn', in_progress: 'info', completed: 'ok', exceptions: 'warn',
  incomplete: 'alarm', missed: 'alarm', cancelled: 'quiet',
}

export const verdictTone: Record<Verdict, Tone> = {
  pending: 'quiet', on_time: 'ok', early: 'warn', late: 'warn', missed: 'alarm', exempt: 'quiet',
}

/** reached reports whether somebody was there. */
export function reached(v: Visit): boolean {
  return v.verdict === 'on_time' || v.verdict === 'early' || v.verdict === 'late'
}

/** tally counts a day's visits. */
export function tally(rounds: readonly Round[]): { expected: number; reached: number; missed: number } {
  const visits = rounds.filter((r) => r.state !== 'cancelled').flatMap((r) => r.visits).filter((v) => v.verdict !== 'exempt')
  return {
    expected: visits.length,
    reached: visits.filter(reached).length,
    missed: visits.filter((v) => v.verdict === 'missed').length,
  }
}

/** lastMoment is when a tap stops counting, ms. */
export function lastMoment(r: Round): number {
  return Date.parse(r.end) + r.tolerance * 1000
}

/** toWalk is the round that this guard walks at now: one that is open and his before one that is open and anybody's. */
export function toWalk(rounds: readonly Round[], login: string, now: number): Round | null {
  const open = rounds.filter((r) => r.state !== 'cancelled' && Date.parse(r.start) <= now && now <= lastMoment(r))
  const suits = open.filter((r) => !r.assignee || r.assignee === login)
  const candidates = suits.length ? suits : open
  return [...candidates].sort((a, b) => rank(a, login) - rank(b, login) || a.end.localeCompare(b.end))[0] ?? null
}

function rank(r: Round, login: string): number {
  const left = r.visits.some((v) => v.verdict === 'pending') ? 0 : 2
  return left + (r.assignee === login ? 0 : 1)
}

/** following is the next round that has not begun at now. */
export function following(rounds: readonly Round[], login: string, now: number): Round | null {
  const later = rounds.filter((r) => Date.parse(r.start) > now && (!r.assignee || r.assignee === login))
  return [...later].sort((a, b) => a.start.localeCompare(b.start))[0] ?? null
}

export type RoundGroup = 'now' | 'next' | 'amiss' | 'done' | 'later'

const groupOf: Record<RoundState, RoundGroup> = {
  due: 'now', in_progress: 'now', missed: 'amiss', incomplete: 'amiss', exceptions: 'amiss',
  completed: 'done', cancelled: 'done', scheduled: 'later',
}

/**
 * board sorts a day's rounds by what matters first: what is walked now (else what
 * comes next), what went wrong, what is done, what comes later. What is over
 * begins with the newest. Groups without a round are left out.
 */
export function board(rounds: readonly Round[]): { group: RoundGroup; rounds: Round[] }[] {
  const sorted = [...rounds].sort((a, b) => a.start.localeCompare(b.start) || a.plan.localeCompare(b.plan))
  const of = (group: RoundGroup) => sorted.filter((r) => groupOf[r.state] === group)
  const now = of('now')
  const later = of('later')
  const next = now.length ? [] : later.splice(0, 1)
  return ([
    { group: 'now', rounds: now },
    { group: 'next', rounds: next },
    { group: 'amiss', rounds: of('amiss').reverse() },
    { group: 'done', rounds: of('done').reverse() },
    { group: 'later', rounds: later },
  ] as const).filter((g) => g.rounds.length)
}
