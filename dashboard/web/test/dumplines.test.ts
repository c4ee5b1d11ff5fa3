import { beforeAll, expect, it } from 'vitest'
import { nextTick } from 'vue'
import type { DumpLine } from '../src/api/types'
import { speak, withOffice } from '../src/i18n'
import DumpLines from '../src/parts/DumpLines.vue'
import { mount } from './mount'

const wrong = (line: number, zh: string): DumpLine => ({ line, state: 'wrong', what: { zh, en: 'x' }, cure: { zh: `改${zh}`, en: 'y' } })
const tap = (line: number, state: 'new' | 'known'): DumpLine => ({
  line, state, tap: { id: `t${line}`, source: 'wand', reader: 'A017', checkpoint: 'gate', checkpoint_name: { zh: '东门', en: 'East gate' }, person_name: '赵卫国', tapped_at: '2026-11-22T00:15:00Z' },
})

beforeAll(async () => {
  await speak('zh')
  await withOffice(Promise.resolve())
})

it('says what is wrong with several lines once, and lists the lines of one kind when asked', async () => {
  const lines = [wrong(2, '没有西门'), tap(3, 'new'), wrong(4, '没有时间'), wrong(5, '没有西门'), tap(6, 'known'), wrong(7, '没有西门')]
  const { root, props } = mount(DumpLines, { dump: { dry_run: true, new: 1, known: 1, wrong: 4, lines } })
  const text = (id: string) => [...root.querySelectorAll(`[data-testid=${id}]`)].map((e) => e.textContent?.replace(/\s+/g, ' ').trim())
  expect(text('dump-fault-row')).toEqual(['没有西门 第 2, 5, 7 行，共 3 行改没有西门', '没有时间 第 4 行改没有时间'])
  expect(text('dump-line')).toHaveLength(6)
  expect(text('dump-line')[1]).toBe('3将导入2026/11/22 08:15:00东门赵卫国 A017')

  root.querySelector<HTMLButtonElement>('[data-testid=dump-show-known]')!.click()
  await nextTick()
  expect(text('dump-line')).toEqual([expect.stringMatching(/^6已有/)])

  // When none of the kind is left, all are shown.
  props.dump = { dry_run: false, new: 1, known: 0, wrong: 0, lines: [tap(3, 'new')] }
  await nextTick()
  expect(text('dump-line')).toEqual([expect.stringMatching(/^3已导入/)])
  expect(text('dump-fault-row')).toEqual([])
})
