import { beforeAll, expect, test } from 'vitest'
import type { Notice } from '../src/api/types'
import { noticeWords, unseen, withNotice } from '../src/domain/notices'
import { speak, withOffice } from '../src/i18n'

beforeAll(async () => {
  await speak('zh')
  await withOffice(Promise.resolve())
})

const notice = (id: string, at: string, ...alarms: [zh: string, follow: number][]): Notice => ({
  id, at, priority: 'P1', flood: false,
  alarms: alarms.map(([zh, follow]) => ({ alarm: id, key: zh, title: { zh }, priority: 'P1', gone: false, follow })),
} as Notice)

test('a notice is one sentence', async () => {
  expect(noticeWords(notice('1', '', ['1号泵 故障', 0]))).toBe('1号泵 故障')
  expect(noticeWords(notice('1', '', ['总表 市电中断', 497], ['水箱 离线', 0], ['烟感', 0]))).toBe('3 项报警：总表 市电中断等；因总表 市电中断抑制 497 项')
  expect(noticeWords({ ...notice('1', ''), alarms: [] })).toBe('')
  await speak('en')
  expect(noticeWords(notice('1', '', ['Mains lost', 2]))).toBe('Mains lost; 2 more follow from Mains lost and are suppressed')
  await speak('zh')
})

test('the list is newest first, each notice once', () => {
  const [a, b, c] = [notice('a', '2026-11-22T01:00:00Z'), notice('b', '2026-11-22T02:00:00Z'), notice('c', '2026-11-22T02:00:00Z')]
  const ids = (all: readonly Notice[]) => all.map((n) => n.id).join('')
  expect(ids([b, a, c, b].reduce((all: Notice[], n) => withNotice(all, n), []))).toBe('cba')
  expect(ids(withNotice([b], a, 1))).toBe('b')
  expect(unseen([c, b, a], a.at)).toBe(2)
  expect(unseen([c, b, a], '')).toBe(3)
  const parts = ['01', '01.5', '01.52', '02'].map((at) => notice(at, `2026-11-22T01:00:${at}Z`))
  expect(parts.reduce((all: Notice[], n) => withNotice(all, n), []).map((n) => n.id)).toEqual(['02', '01.52', '01.5', '01'])
  expect(unseen(parts, parts[0]!.at)).toBe(3)
})
