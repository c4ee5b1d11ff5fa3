import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { columnsField, numbersOf, sheetOf, textOf, things, usual, type Columns } from '../src/domain/dump'

const none: Columns = { time: 0, date: 0, checkpoint: 0, guard: 0, wand: 0 }
const utf8 = (s: string) => new TextEncoder().encode(s)

describe('the text of a dump', () => {
  it.each<[string, number[] | Uint8Array, string | null]>([
    ['UTF-8', utf8('时间'), '时间'],
    ['UTF-8 with a mark', [0xef, 0xbb, 0xbf, 0x61], 'a'],
    ['GBK', [0xca, 0xb1, 0xbc, 0xe4], '时间'],
    ['UTF-16', [0xff, 0xfe, 0xf6, 0x65], '时'],
    ['UTF-16, the other end first', [0xfe, 0xff, 0x65, 0xf6], '时'],
    ['a workbook', [0x50, 0x4b, 0x03, 0x04, 0x00, 0x00], null],
    ['nothing', [], ''],
  ])('is read from %s', (_, bytes, want) => {
    expect(textOf(Uint8Array.from(bytes))).toBe(want)
  })
})

describe('the columns of a dump', () => {
  it.each<[string, string, Partial<Columns>]>([
    ['commas', '序号,人员名称,地点卡号,地点名称,巡检时间,巡检器编号\n1,赵卫国,04A1,东门,2026-11-22 08:15:00,A017', { guard: 2, checkpoint: 3, time: 5, wand: 6 }],
    ['tabs, and a title above', '巡更记录\r\n\r\n日期\t时间\t地点\r\n2026/11/22\t8:15\t东门', { date: 1, time: 2, checkpoint: 3 }],
    ['semicolons and quotes', '"Time";"Guard";"Checkpoint"\n"2026-11-22 08:15";"Zhao; the elder";"East gate"', { time: 1, guard: 2, checkpoint: 3 }],
    ['one heading for two things', '时间,卡号\n8:15,04A1', { time: 1, checkpoint: 2 }],
  ])('are guessed by the headings: %s', (_, text, want) => {
    const sheet = sheetOf(text)
    expect(sheet.headed).toBe(true)
    expect(sheet.guess).toEqual({ ...none, ...want })
  })

  it('have a heading and an example', () => {
    expect(sheetOf('卡号,时间,备注\n="0006547886",2026-11-22 08:15,\n1,2,"a,b"').columns).toEqual([
      { heading: '卡号', example: '0006547886' }, { heading: '时间', example: '2026-11-22 08:15' }, { heading: '备注', example: 'a,b' },
    ])
  })

  it('are only shown where no heading is known', () => {
    const sheet = sheetOf("\n'0006547886,2026-11-22 08:15\n")
    expect(sheet).toEqual({ headed: false, guess: none, columns: [{ heading: '', example: '0006547886' }, { heading: '', example: '2026-11-22 08:15' }] })
    expect(sheetOf('').columns.map((c) => c.example)).toEqual([])
  })

  it('are sent by number, so that a column that is left out stays out', () => {
    expect(columnsField({ ...none, time: 5, checkpoint: 3 }, '')).toBe('time=5,checkpoint=3')
    expect(columnsField({ time: 2, date: 1, checkpoint: 3, guard: 4, wand: 5 }, ' DD.MM.YYYY ')).toBe('time=2,date=1,checkpoint=3,guard=4,wand=5,layout=DD.MM.YYYY')
  })

  it('are guessed by the same headings as the server knows', () => {
    const go = readFileSync(join(__dirname, '../../../devices/wand/columns.go'), 'utf8')
    for (const thing of things) {
      const list = new RegExp(`of${thing[0]!.toUpperCase()}${thing.slice(1)}:\\s+\\{([^}]*)\\}`).exec(go)![1]!
      expect(usual[thing]).toEqual([...list.matchAll(/"([^"]*)"/g)].map((m) => m[1]))
    }
  })
})

describe('the numbers of lines', () => {
  it.each([[[], ''], [[3], '3'], [[3, 5, 6, 7, 9], '3, 5–7, 9'], [[1, 3, 5, 7, 9, 11, 13, 15, 17], '1, 3, 5, 7, 9, 11, 13, 15 …']])('%o are %s', (lines, want) => {
    expect(numbersOf(lines)).toBe(want)
  })
})
