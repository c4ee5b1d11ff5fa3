import { shallowRef, type ShallowRef } from 'vue'
import { query } from '../api/client'
import type { Alarm, Hold, HoldKind, Order } from '../api/types'
import { pick, t } from '../i18n'
import { onLive } from './live'
import { useResource, type Resource } from './resource'
import { client, may } from './session'
import { sentence, tell } from './toasts'

export interface HoldAsk { key: string; kind: HoldKind; reason: string; until?: string; one_shot?: boolean; order?: string }

/** holdName is what a held alarm is called: a rule says what is wrong, the device where. */
export function holdName(h: Hold): string {
  const [what, where] = [pick(h.rule_name), pick(h.device_name)]
  return what.startsWith(where) ? what : `${where} ${what}`
}

export interface AlarmDesk {
  readonly busy: ShallowRef<boolean>
  /** Why the last thing was not done; "" when it was. */
  readonly fault: ShallowRef<string>
  acknowledge(alarm: Alarm, note: string): Promise<boolean>
  reset(alarm: Alarm, note: string): Promise<boolean>
  /** What it is about is how things are from now on. */
  usual(alarm: Alarm, note: string): Promise<boolean>
  hold(ask: HoldAsk): Promise<boolean>
  /** One after the other; when one is refused those before it stand, and asking again does no harm. */
  holdAll(asks: readonly HoldAsk[]): Promise<boolean>
  release(hold: Hold, note: string): Promise<boolean>
}

/** useAlarmDesk does things to alarms; changed is called after each, done or not: somebody may have been faster. */
export function useAlarmDesk(changed: () => void): AlarmDesk {
  const busy = shallowRef(false)
  const fault = shallowRef('')
  async function attempt(work: () => Promise<string>): Promise<boolean> {
    busy.value = true
    fault.value = ''
    try {
      tell(await work())
      return true
    } catch (error) {
      fault.value = sentence(error)
      return false
    } finally {
      busy.value = false
      changed()
    }
  }
  return {
    busy, fault,
    acknowledge: (alarm, note) => attempt(async () => {
      await client.send('POST', `/api/alarms/${alarm.id}/acknowledge`, { note })
      return t('alarms.done', { title: pick(alarm.title) })
    }),
    reset: (alarm, note) => attempt(async () => {
      await client.send('POST', `/api/alarms/${alarm.id}/reset`, { note })
      return t('alarm.reset_done', { title: pick(alarm.title) })
    }),
    usual: (alarm, note) => attempt(async () => {
      await client.send('POST', `/api/alarms/${alarm.id}/usual`, { note })
      return t('alarm.usual_done', { title: pick(alarm.title) })
    }),
    hold: (ask) => attempt(async () => {
      await client.send<Hold>('POST', '/api/holds', ask)
      return t(ask.kind === 'shelved' ? 'hold.shelved_done' : 'hold.out_done')
    }),
    holdAll: (asks) => attempt(async () => {
      for (const ask of asks) await client.send<Hold>('POST', '/api/holds', ask)
      return t('hold.device_done', { n: asks.length })
    }),
    release: (hold, note) => attempt(async () => {
      await client.send('POST', '/api/holds/release', { key: hold.key, kind: hold.kind, note })
      return t('hold.released', { title: holdName(hold) })
    }),
  }
}

/** useOpenOrders lists the orders for which this person may take alarms out of service, all or those in their own hands; nothing is asked of whoever may not. */
export function useOpenOrders(): Resource<Order[]> {
  const orders = useResource(async (signal) => {
    if (!may('acknowledge_alarm')) return []
    const show = may('hold_alarm') ? 'open' : 'mine'
    return (await client.get<{ orders: Order[] | null }>(query('/api/orders', { show, limit: 500 }), signal)).orders ?? []
  })
  onLive('order', (o) => {
    const known = orders.data.value?.find((x) => x.id === o.id)
    if (!known || known.state !== o.state || known.assignee !== o.assignee) void orders.reload()
  })
  return orders
}
