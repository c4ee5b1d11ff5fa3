// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'
import { ApiError, Unreachable } from '../src/api/client'
import type { OrderDetail } from '../src/api/types'
import { speak, withOffice } from '../src/i18n'

const sent = vi.hoisted(() => ({ send: vi.fn(), addTick: vi.fn(async () => {}), complain: vi.fn() }))
vi.mock('../src/state/session', () => ({ client: { send: sent.send }, person: { value: { login: 'zhang' } }, session: { value: null }, zone: { value: 'Asia/Shanghai' }, may: () => true }))
vi.mock('../src/state/taps', () => ({ addTick: sent.addTick, flush: async () => {} }))
vi.mock('../src/state/toasts', () => ({ complain: sent.complain, tell: () => {} }))

const { default: CheckList } = await import('../src/parts/CheckList.vue')
const { mount } = await import('./mount')

const text = (zh: string) => ({ zh, en: zh })
const detail = (by: (string | null)[], more: Partial<OrderDetail['order']> = {}): OrderDetail => ({
  order: {
    id: 'o', no: '1', source: 'alarm', title: text('泵'), priority: 'P2', state: 'in_progress', count: 1, created_at: '2026-11-22T01:00:00Z', last_at: '2026-11-22T01:00:00Z',
    updated_at: '2026-11-22T01:00:00Z', overdue: false, reopened: 0, version: 1, actions: ['complete', 'tick', 'untick'], ...more,
  },
  events: [], alarms: [], assignable: [], bring: [text('机械密封')],
  checklist: by.map((b, i) => ({ text: text(`步骤${i + 1}`), by: b, by_name: b, at: b ? '2026-11-22T01:00:00Z' : null })),
})
const boxes = (root: HTMLElement) => [...root.querySelectorAll<HTMLInputElement>('input')]
const settle = async () => { for (let i = 0; i < 10; i++) await nextTick() }

describe('the checklist', async () => {
  await speak('zh')
  await withOffice(Promise.resolve())
  afterEach(() => vi.clearAllMocks())

  it('says what to bring, what is done, by whom, and how much', () => {
    const { root } = mount(CheckList, { detail: detail(['张师傅', null]) })
    expect(root.textContent).toContain('机械密封')
    expect(root.textContent).toContain('1/2')
    expect(root.textContent).toContain('张师傅')
    expect(boxes(root).map((b) => b.checked)).toEqual([true, false])
  })

  it('sends a tick with its step and its time', async () => {
    const after = detail([null, 'zhang'])
    sent.send.mockResolvedValue(after)
    const changed = vi.fn()
    const { root } = mount(CheckList, { detail: detail([null, null]), onChanged: changed })
    boxes(root)[1]!.click()
    await settle()
    expect(sent.send).toHaveBeenCalledWith('POST', '/api/orders/o/actions', { action: 'tick', step: 2, at: expect.stringMatching(/Z$/) })
    expect(changed).toHaveBeenCalledWith(after)
  })

  it('keeps a tick that finds no network, and shows that it waits', async () => {
    sent.send.mockRejectedValue(new Unreachable('no network'))
    const { root, props } = mount(CheckList, { detail: detail(['zhang', null]) })
    boxes(root)[0]!.click()
    await settle()
    expect(sent.addTick).toHaveBeenCalledWith('o', { action: 'untick', step: 1, at: expect.any(String) })
    expect(root.querySelector('[role=status]')!.textContent).toContain('待上传')
    expect(root.textContent).toContain('0/2')
    props.detail = detail([null, null])
    await settle()
    expect(root.querySelector('[role=status]')).toBeNull()
  })

  it('takes back what the server refuses, and says why', async () => {
    sent.send.mockRejectedValue(new ApiError(403, 'forbidden', text('不是你的')))
    const { root } = mount(CheckList, { detail: detail([null]) })
    boxes(root)[0]!.click()
    await settle()
    expect(sent.complain).toHaveBeenCalled()
    expect(boxes(root)[0]!.checked).toBe(false)
  })

  it('is for reading to who does not work on it, and nothing without a list', () => {
    expect(boxes(mount(CheckList, { detail: detail([null], { actions: ['comment'] }) }).root)[0]!.disabled).toBe(true)
    expect(mount(CheckList, { detail: { ...detail([]), bring: null } }).root.textContent).toBe('')
  })
})
