import { shallowReactive } from 'vue'
import { ApiError, Unreachable } from '../api/client'
import { pick, t } from '../i18n'

export interface Toast { id: number; tone: 'ok' | 'alarm'; text: string }

export const toasts = shallowReactive<Toast[]>([])
/** What a screen reader is told. */
export const spoken = shallowReactive({ text: '' })

let last = 0

export function show(tone: Toast['tone'], text: string, ms: number): void {
  const toast = { id: ++last, tone, text }
  toasts.push(toast)
  setTimeout(() => dismiss(toast.id), ms)
}

export function dismiss(id: number): void {
  const i = toasts.findIndex((x) => x.id === id)
  if (i >= 0) toasts.splice(i, 1)
}

export function tell(text: string): void {
  show('ok', text, 4_000)
}

export function complain(error: unknown): void {
  show('alarm', sentence(error), 8_000)
}

/** sentence is what an error says to a person. */
export function sentence(error: unknown): string {
  if (error instanceof ApiError) return pick(error.text)
  if (error instanceof Unreachable) return t('error.unreachable')
  return t('error.unknown', { what: error instanceof Error ? error.message : String(error) })
}
