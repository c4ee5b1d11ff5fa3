// The dump of a patrol wand as the page reads it: only its first lines, to show what
// its columns are. What becomes of each line is for the server to say.

export const things = ['time', 'date', 'checkpoint', 'guard', 'wand'] as const
export type Thing = (typeof things)[number]
/** Which column says what: numbers from 1; 0 is none. */
export type Columns = Record<Thing, number>

export interface Column { heading: string; example: string }
export interface Sheet { columns: Column[]; guess: Columns; headed: boolean }

// As in devices/wand/columns.go: the headings that the software of wands writes, the surest first.
export const usual: Record<Thing, readonly string[]> = {
  time: ['巡检时间', '巡更时间', '打卡时间', '刷卡时间', '读卡时间', '日期时间', '时间', 'datetime', 'date time', 'timestamp', 'time'],
  date: ['巡检日期', '巡更日期', '日期', 'date'],
  checkpoint: ['地点卡号', '地点编号', '巡更点卡号', '点卡号', '巡更点', '巡检点', '巡检地点', '地点名称', '地点', '卡号', 'checkpoint', 'point', 'location', 'tag', 'uid', 'card'],
  guard: ['巡检员', '巡更员', '巡更人员', '巡检人员', '人员名称', '人员', '姓名', 'guard', 'person', 'name'],
  wand: ['巡更棒编号', '巡检器编号', '巡更机号', '巡更棒', '巡检器', '棒号', '机号', '设备号', '设备编号', 'wand', 'reader', 'device', 'serial'],
}

/** Bytes of a dump that the server takes. */
export const largest = 8 << 20

const headingLines = 10

/** textOf reads a dump in UTF-8, UTF-16 or GBK; null when it is no text. */
export function textOf(bytes: Uint8Array): string | null {
  const mark = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : ''
  for (const encoding of mark ? [mark] : ['utf-8', 'gb18030']) {
    try {
      const text = new TextDecoder(encoding, { fatal: true }).decode(bytes)
      return text.includes('\0') ? null : text
    } catch { /* the next one */ }
  }
  return null
}

/** sheetOf finds the columns of a dump and guesses by their headings what they say. */
export function sheetOf(text: string): Sheet {
  const lines = text.slice(0, 1 << 16).split(/\r\n|\r|\n/)
  const comma = separator(lines)
  const rows = lines.slice(0, 2 * headingLines).map((line) => cells(line, comma))
  const at = rows.slice(0, headingLines).findIndex((row) => complete(guessBy(row)))
  const below = rows.slice(at + 1).filter((row) => row.some((cell) => cell))
  const width = Math.max(0, ...(at < 0 ? below : [rows[at]!, ...below]).map((row) => row.length))
  return {
    headed: at >= 0,
    guess: guessBy(rows[at] ?? []),
    columns: Array.from({ length: width }, (_, i) => ({ heading: rows[at]?.[i] ?? '', example: below.find((row) => row[i])?.[i] ?? '' })),
  }
}

const complete = (c: Columns) => c.time > 0 && c.checkpoint > 0

function guessBy(headings: readonly string[]): Columns {
  const found: Columns = { time: 0, date: 0, checkpoint: 0, guard: 0, wand: 0 }
  const low = headings.map((h) => h.toLowerCase())
  for (const thing of things) {
    for (const name of usual[thing]) {
      const i = low.findIndex((h, k) => h === name && !Object.values(found).includes(k + 1))
      if (i < 0) continue
      found[thing] = i + 1
      break
    }
  }
  return found
}

function separator(lines: readonly string[]): string {
  const head = lines.slice(0, headingLines).join('\n')
  const count = (c: string) => head.split(c).length
  return [',', ';', '\t'].reduce((best, c) => (count(c) > count(best) ? c : best))
}

/** cells splits a line; a quoted cell may hold separators. */
function cells(line: string, comma: string): string[] {
  const out: string[] = []
  let cell = ''
  let quoted = false
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!
    if (quoted && c === '"' && line[i + 1] === '"') cell += line[++i]
    else if (c === '"' && (quoted || cell === '')) quoted = !quoted
    else if (c === comma && !quoted) {
      out.push(bare(cell))
      cell = ''
    } else cell += c
  }
  return [...out, bare(cell)]
}

// Spreadsheets keep zeros at the front as ="0006547886" or '0006547886.
const bare = (cell: string) => cell.trim().replace(/^="(.*?)"?$/, '$1').replace(/^'/, '').trim()

/** columnsField is the field "columns" of the import: all by number, so that what is left out stays out. */
export function columnsField(columns: Columns, layout: string): string {
  const said = things.filter((thing) => columns[thing] > 0).map((thing) => `${thing}=${columns[thing]}`)
  return [...said, ...(layout.trim() ? [`layout=${layout.trim()}`] : [])].join(',')
}

/** numbersOf writes the numbers of lines: "3, 5–9, 12". */
export function numbersOf(lines: readonly number[], most = 8): string {
  const runs: [number, number][] = []
  for (const n of lines) {
    const last = runs.at(-1)
    if (last && n === last[1] + 1) last[1] = n
    else runs.push([n, n])
  }
  const said = runs.slice(0, most).map(([a, b]) => (a === b ? `${a}` : `${a}–${b}`))
  return said.join(', ') + (runs.length > most ? ' …' : '')
}
