import { shallowRef } from 'vue'

/** What the server's clock is ahead of this device's, ms. Ages are judged by the server's. */
let ahead = 0

/** The server's time, ms, ticking each second while the page is seen. */
export const now = shallowRef(Date.now())

/** setServerTime is told what time the server says it is. */
export function setServerTime(iso: string): void {
  const at = Date.parse(iso)
  if (Number.isNaN(at)) return
  ahead = at - Date.now()
  // Less than a second is the way of the message, not the clock.
  if (Math.abs(ahead) < 1_000) ahead = 0
  tick()
}

function tick(): void {
  now.value = Date.now() + ahead
}

/** startClock ticks until the function that it returns is called. */
export function startClock(): () => void {
  const timer = setInterval(() => { if (document.visibilityState === 'visible') tick() }, 1_000)
  document.addEventListener('visibilitychange', tick)
  return () => {
    clearInterval(timer)
    document.removeEventListener('visibilitychange', tick)
  }
}
