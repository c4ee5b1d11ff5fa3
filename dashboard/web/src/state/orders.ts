import { shallowRef, type ShallowRef } from 'vue'
import { ApiError, Unreachable } from '../api/client'
import type { Order, OrderAction, OrderDetail } from '../api/types'
import { t } from '../i18n'
import { shrink } from '../parts/photo'
import { addPhoto } from './taps'
import { client } from './session'
import { complain, tell } from './toasts'

export interface OrderDesk {
  readonly busy: ShallowRef<boolean>
  /** Does the action; false when it was not done, and the person knows why. */
  act(order: Order, action: OrderAction, more?: { note?: string; target?: string }): Promise<boolean>
  addPhoto(order: Order, file: Blob, note?: string): Promise<void>
}

/** useOrderDesk does things to orders; changed gets the new state, stale is called when somebody else was faster. */
export function useOrderDesk(changed: (detail: OrderDetail) => void, stale: () => void): OrderDesk {
  const busy = shallowRef(false)

  async function act(order: Order, action: OrderAction, more: { note?: string; target?: string } = {}): Promise<boolean> {
    busy.value = true
    try {
      const detail = await client.send<OrderDetail>('POST', `/api/orders/${order.id}/actions`, {
        action, note: more.note ?? '', target: more.target ?? '', version: order.version,
      })
      changed(detail)
      tell(t('order.acted', { no: order.no, action: t(`order.action.${action}`) }))
      return true
    } catch (error) {
      const late = error instanceof ApiError && error.status === 409
      // What is unlawful says itself why.
      complain(late && error.code === 'conflict' ? new ApiError(error.status, error.code, { zh: t('order.changed'), en: t('order.changed') }) : error)
      if (late) stale()
      return false
    } finally {
      busy.value = false
    }
  }

  async function photo(order: Order, file: Blob, note = ''): Promise<void> {
    busy.value = true
    try {
      const detail = await uploadPhoto(order.id, file, note)
      if (detail) changed(detail)
    } catch (error) {
      complain(error)
    } finally {
      busy.value = false
    }
  }
  return { busy, act, addPhoto: photo }
}

/** uploadPhoto sends a picture, or keeps it until there is a network; then the answer is null. */
export async function uploadPhoto(order: string, file: Blob, note = ''): Promise<OrderDetail | null> {
  const small = await shrink(file).catch(() => { throw new ApiError(415, 'unsupported', { zh: t('order.photo_bad'), en: t('order.photo_bad') }) })
  const form = new FormData()
  form.set('photo', small, 'photo.jpg')
  form.set('note', note)
  try {
    return await client.send<OrderDetail>('POST', `/api/orders/${order}/photos`, form)
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error
    await addPhoto(order, note, small)
    tell(t('order.photo_queued'))
    return null
  }
}
