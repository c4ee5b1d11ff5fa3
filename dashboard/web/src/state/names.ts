import { shallowRef } from 'vue'
import type { Person } from '../api/types'
import { client } from './session'

/** Names of people by login. */
export const names = shallowRef<ReadonlyMap<string, string>>(new Map())

/** loadNames fetches them; without an answer the logins are shown. */
export async function loadNames(): Promise<void> {
  try {
    const { people } = await client.get<{ people: Person[] | null }>('/api/people')
    names.value = new Map((people ?? []).map((p) => [p.login, p.name]))
  } catch { /* the login says enough */ }
}
