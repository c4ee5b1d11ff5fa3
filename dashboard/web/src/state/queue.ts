import { computed, shallowReactive } from 'vue'
import type { QueuedTap } from '../offline/store'

/** The phone's own queue, item by item, as the pages show it. What fills and sends it is in taps.ts, apart, so that the first screen need not load a database. */
export const queue = shallowReactive({
  taps: [] as QueuedTap[],
  photos: 0,
  ticks: 0,
  sending: false,
  /** False when this phone cannot store anything. */
  durable: true,
})

/** How many taps wait to be sent, whoever made them. */
export const unsent = computed(() => queue.taps.filter((x) => x.state === 'waiting').length)
