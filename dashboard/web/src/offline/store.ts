import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import type { Checkpoint, TapSource, Text } from '../api/types'

/** A tap that was made on this phone. Once written, only what became of it changes. */
export interface QueuedTap {
  id: string
  token: string
  source: TapSource
  tapped_at: string
  /** Who made it: only under his own sign-in is it sent. */
  login: string
  name: string
  state: 'waiting' | 'sent' | 'refused'
  checkpoint?: Checkpoint | null
  why?: Text
  sent_at?: string
}

/** A tick of a checklist, at the time at which it was made. */
export interface Tick { action: 'tick' | 'untick'; step: number; at: string }

/** A photo or a tick of a work order that waits for the network. They share a store, whose name is of the time when there were only photos. */
export interface QueuedPhoto { id: string; order: string; login: string; note: string; at: string; photo?: Blob; tick?: Tick }

/** What was last seen of something, to show it without a network. */
export interface Memo { key: string; at: string; value: unknown }

export interface Store {
  /** False when nothing outlives the page. */
  readonly durable: boolean
  taps(): Promise<QueuedTap[]>
  putTap(tap: QueuedTap): Promise<void>
  dropTap(id: string): Promise<void>
  photos(): Promise<QueuedPhoto[]>
  putPhoto(photo: QueuedPhoto): Promise<void>
  dropPhoto(id: string): Promise<void>
  memo(key: string): Promise<Memo | undefined>
  putMemo(memo: Memo): Promise<void>
  close(): void
}

interface Schema extends DBSchema {
  taps: { key: string; value: QueuedTap }
  photos: { key: string; value: QueuedPhoto }
  memos: { key: string; value: Memo }
}

/** openStore opens the phone's database; where there is none, the page's memory has to do. */
export async function openStore(): Promise<Store> {
  try {
    return durableStore(await openDB<Schema>('gengfu', 1, {
      upgrade(db) {
        db.createObjectStore('taps', { keyPath: 'id' })
        db.createObjectStore('photos', { keyPath: 'id' })
        db.createObjectStore('memos', { keyPath: 'key' })
      },
    }))
  } catch {
    return memoryStore()
  }
}

function durableStore(db: IDBPDatabase<Schema>): Store {
  return {
    durable: true,
    taps: () => db.getAll('taps'),
    putTap: async (tap) => {
      const tx = db.transaction('taps', 'readwrite', { durability: 'strict' })
      await Promise.all([tx.store.put(tap), tx.done])
    },
    dropTap: (id) => db.delete('taps', id),
    photos: () => db.getAll('photos'),
    putPhoto: async (p) => void (await db.put('photos', p)),
    dropPhoto: (id) => db.delete('photos', id),
    memo: (key) => db.get('memos', key),
    putMemo: async (m) => void (await db.put('memos', m)),
    close: () => db.close(),
  }
}

/** memoryStore keeps everything until the page closes. */
export function memoryStore(): Store {
  const taps = new Map<string, QueuedTap>()
  const photos = new Map<string, QueuedPhoto>()
  const memos = new Map<string, Memo>()
  return {
    durable: false,
    taps: async () => [...taps.values()],
    putTap: async (t) => void taps.set(t.id, t),
    dropTap: async (id) => void taps.delete(id),
    photos: async () => [...photos.values()],
    putPhoto: async (p) => void photos.set(p.id, p),
    dropPhoto: async (id) => void photos.delete(id),
    memo: async (key) => memos.get(key),
    putMemo: async (m) => void memos.set(m.key, m),
    close: () => {},
  }
}
