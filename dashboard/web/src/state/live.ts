import { onScopeDispose } from 'vue'
import type { LiveEvent, LiveEvents } from '../api/types'
import { createLive } from '../live/live'
import { openStream } from '../live/stream'

/** The one event stream of this browser. */
export const live = createLive({
  open: (to) => openStream({ url: '/api/events', fetch: (input, init) => fetch(input, init) }, to),
  // Locks need HTTPS or loopback; elsewhere each tab has a stream of its own.
  channel: 'BroadcastChannel' in globalThis ? () => new BroadcastChannel('gengfu-live') : undefined,
  locks: navigator.locks,
})

/** onLive handles an event for as long as the component lives. */
export function onLive<E extends LiveEvent>(type: E, handler: (data: LiveEvents[E]) => void): void {
  onScopeDispose(live.on(type, handler))
}
