import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'
import { onLive } from './live'

export interface Resource<T> {
  readonly data: ShallowRef<T | undefined>
  /** Why the last load failed; the data of an earlier one stays. */
  readonly error: ShallowRef<unknown>
  readonly loading: ShallowRef<boolean>
  reload(): Promise<void>
}

/**
 * useResource loads what a page shows: at once, when a dependency changes, and
 * after each connection of the event stream, because events before it are lost.
 */
export function useResource<T>(load: (signal: AbortSignal) => Promise<T>, deps?: () => unknown): Resource<T> {
  const data = shallowRef<T>()
  const error = shallowRef<unknown>()
  const loading = shallowRef(false)
  let running: AbortController | undefined

  async function reload(): Promise<void> {
    running?.abort()
    const mine = new AbortController()
    running = mine
    loading.value = true
    try {
      const fresh = await load(mine.signal)
      if (mine.signal.aborted) return
      data.value = fresh
      error.value = undefined
    } catch (cause) {
      if (!mine.signal.aborted) error.value = cause
    } finally {
      if (running === mine) loading.value = false
    }
  }

  if (deps) watch(deps, () => { data.value = undefined; void reload() })
  onLive('hello', () => void reload())
  onScopeDispose(() => running?.abort())
  void reload()
  return { data, error, loading, reload }
}

/** upsert replaces the item with the same id, or puts it in front. */
export function upsert<T extends { id: string }>(list: readonly T[], item: T): T[] {
  return list.some((x) => x.id === item.id) ? list.map((x) => (x.id === item.id ? item : x)) : [item, ...list]
}

/** without drops the item with the id. */
export function without<T extends { id: string }>(list: readonly T[], id: string): T[] {
  return list.filter((x) => x.id !== id)
}
