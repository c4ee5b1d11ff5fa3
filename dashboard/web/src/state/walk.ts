import { computed, onScopeDispose, shallowRef, type ComputedRef, type ShallowRef } from 'vue'
import { query } from '../api/client'
import type { Checkpoint, Round, Visit } from '../api/types'
import { lastMoment, toWalk } from '../domain/rounds'
import { addDays, localDay } from '../domain/time'
import { now } from './clock'
import { onLive } from './live'
import { queue } from './queue'
import { upsert } from './resource'
import { client, may, person, zone } from './session'
import { recall, remember, rememberCheckpoint } from './taps'

export interface Walk {
  readonly rounds: ShallowRef<Round[] | undefined>
  /** When the rounds were read, if they are the remembered ones. */
  readonly asOf: ShallowRef<string | null>
  readonly error: ShallowRef<unknown>
  readonly round: ComputedRef<Round | null>
  /** The phone has a tap there that the server has not judged yet. */
  tapped(round: Round, visit: Visit): boolean
  reload(): Promise<void>
}

/** useWalk keeps the rounds around now, with or without a network. */
export function useWalk(): Walk {
  const rounds = shallowRef<Round[]>()
  const asOf = shallowRef<string | null>(null)
  const error = shallowRef<unknown>()
  let gone = false
  onScopeDispose(() => { gone = true })

  async function read(): Promise<Round[]> {
    const today = localDay(now.value, zone.value)
    // A round that began before midnight is still walked after it.
    const days = await Promise.all([addDays(today, -1), today].map((day) => client.get<{ rounds: Round[] | null }>(query('/api/rounds', { day }))))
    return days.flatMap((d) => d.rounds ?? [])
  }

  async function reload(): Promise<void> {
    if (!may('see_patrol')) return
    try {
      const fresh = await read()
      if (gone) return
      rounds.value = fresh
      asOf.value = null
      error.value = undefined
      await remember('rounds', fresh)
      await learnTags()
    } catch (cause) {
      const memo = await recall('rounds')
      if (gone) return
      error.value = memo ? undefined : cause
      if (memo) {
        rounds.value = memo.value as Round[]
        asOf.value = memo.at
      }
    }
  }

  onLive('hello', () => void reload())
  onLive('round', (r) => { if (rounds.value) rounds.value = upsert(rounds.value, r) })
  void reload()

  return {
    rounds, asOf, error, reload,
    round: computed(() => toWalk(rounds.value ?? [], person.value?.login ?? '', now.value)),
    tapped(round, visit) {
      return visit.verdict === 'pending' && queue.taps.some((x) => x.state !== 'refused'
        && x.checkpoint?.id === visit.checkpoint
        && Date.parse(x.tapped_at) >= Date.parse(round.start) - round.tolerance * 1000
        && Date.parse(x.tapped_at) <= lastMoment(round))
    },
  }
}

// So that a tap without a network can say which checkpoint it was.
async function learnTags(): Promise<void> {
  const { checkpoints } = await client.get<{ checkpoints: Checkpoint[] | null }>('/api/checkpoints')
  for (const c of checkpoints ?? []) {
    if (c.token_sha256) await rememberCheckpoint(c.token_sha256, c)
  }
}
