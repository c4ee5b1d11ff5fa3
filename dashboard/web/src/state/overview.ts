import { shallowReactive } from 'vue'
import type { Overview } from '../api/types'
import { client, may } from './session'

/** The estate now; the shell keeps it, because the title of every page says it. */
export const estate = shallowReactive({ now: null as Overview | null, error: undefined as unknown })

export async function loadOverview(): Promise<void> {
  if (!may('see_estate')) return
  try {
    estate.now = await client.get<Overview>('/api/overview')
    estate.error = undefined
  } catch (error) {
    estate.error = error
  }
}
