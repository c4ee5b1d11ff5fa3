import { computed, shallowReactive } from 'vue'
import { ApiError, createClient, Unreachable } from '../api/client'
import type { Permission, Person, Session } from '../api/types'
import { setServerTime } from './clock'

const storageKey = 'gengfu.session'

const state = shallowReactive({
  session: null as Session | null,
  /** The session is the remembered one, because the server could not be asked. */
  remembered: false,
})

export const client = createClient((input, init) => fetch(input, init), signedOut)

export const session = computed(() => state.session)
export const remembered = computed(() => state.remembered)
export const person = computed<Person | null>(() => state.session?.person ?? null)
export const zone = computed(() => state.session?.site.zone || 'Asia/Shanghai')

export function may(permission: Permission): boolean {
  return state.session?.permissions?.includes(permission) ?? false
}

function take(s: Session): void {
  state.session = s
  state.remembered = false
  setServerTime(s.now)
  try {
    localStorage.setItem(storageKey, JSON.stringify({ ...s, demo_logins: null }))
  } catch { /* without storage there is no start without a network */ }
}

function recall(): Session | null {
  try {
    return JSON.parse(localStorage.getItem(storageKey) ?? 'null') as Session | null
  } catch {
    return null
  }
}

/** loadSession asks who is signed in; without a network it is whoever was last. */
export async function loadSession(): Promise<void> {
  try {
    take(await client.get<Session>('/api/session'))
  } catch (error) {
    const silent = error instanceof Unreachable || (error instanceof ApiError && error.status >= 500)
    const last = silent ? recall() : null
    if (!last) throw error
    state.session = last
    state.remembered = true
  }
}

export async function signIn(login: string, password: string): Promise<void> {
  take(await client.send<Session>('POST', '/api/session', { login, password }))
}

export async function signOut(): Promise<void> {
  await client.send('DELETE', '/api/session')
  signedOut()
  await loadSession()
}

function signedOut(): void {
  const s = state.session
  if (!s?.person) return
  state.session = { ...s, person: null, permissions: [] }
  try { localStorage.removeItem(storageKey) } catch { /* nothing was stored either */ }
}
