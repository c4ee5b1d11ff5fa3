import { describe, expect, it } from 'vitest'
import { runBacktest } from '../src/api/backtest'
import { ApiError, Unreachable } from '../src/api/client'
import type { Figures, Occurrence, Rule } from '../src/api/rules'
import type { Device } from '../src/api/types'
import { exceeding, figureText, ruleOf } from '../src/domain/figures'
import { bandsOf, byKind, diffLines, found, idOf, inWords, loudest, offsetOf, template } from '../src/domain/rules'

const rule = (id: string, devices: string[], more: Partial<Rule> = {}): Rule => ({
  id, name: { zh: `规则${id}`, en: `Rule ${id}` }, priority: 'P3', origin: 'file', devices, condition: 'pressure < 2', version: 0, standing: 0, ...more,
})
const device = (id: string, kind: string) => ({ id, kind, name: { zh: '', en: '' }, points: [] }) as unknown as Device

describe('the list of rules', () => {
  it('stands under the kinds of its devices, many and none at the end', () => {
    const devices = [device('p1', 'pump'), device('p2', 'pump'), device('w', 'water_meter')]
    const groups = byKind([rule('any', ['p1', 'w']), rule('none', []), rule('b', ['w']), rule('low', ['p1', 'p2']), rule('high', ['p2'], { priority: 'P1' })], devices)
    expect(groups.map((g) => [g.kind, g.rules.map((r) => r.id)])).toEqual([['pump', ['high', 'low']], ['water_meter', ['b']], ['*', ['any']], ['', ['none']]])
  })

  it.each([['规则x', true], ['PRESSURE x', true], ['一号', true], ['二号', false], ['', true]])('searched for %s is found: %s', (q, want) => {
    expect(found(rule('x', ['p1']), q, new Map([['p1', '一号泵 Pump 1']]))).toBe(want)
  })
})

describe('the text of a rule', () => {
  it.each([[1, 1, 0], [2, 3, 5], [2, 99, 6], [0, 0, 0], [9, 1, 7]])('has line %i, column %i at %i', (line, column, at) => {
    expect(offsetOf('ab\ncde\nf', line, column)).toBe(at)
  })

  it.each([[template, 'new-rule'], ['- id: a\n  name: b', 'a'], ['{id: "x-1", when: 1}', 'x-1'], ['name: id', ''], ['# id: no\nid: yes # id: no', 'yes']])('%j has the id %s', (text, id) => {
    expect(idOf(text)).toBe(id)
  })

  it.each([
    ['outlet_pressure < setpoint - 1.0 bar and duty == 1', 'pressure < set - 1.0 bar AND duty = 1'],
    ['held(outlet_pressure >= 2, 10m) or rate(x, 1h) != 0', 'for long(pressure ≥ 2, 10m) or rate(x, 1h) ≠ 0'],
    ['device("setpoint").setpoint > held', 'device("setpoint").set > held'],
  ])('%s is said as %s', (condition, want) => {
    const names: Record<string, string> = { outlet_pressure: 'pressure', setpoint: 'set', and: 'AND', 'held()': 'for long' }
    expect(inWords(condition, (w) => names[w])).toBe(want)
  })

  const both = (from: string, to: string) => diffLines(from, to).map((l) => l.sign + l.text)
  it('differs by lines', () => {
    expect(both('a\nb\nc\n', 'a\nx\nc\nd\n')).toEqual([' a', '-b', '+x', ' c', '+d'])
    expect(both('', 'a\n')).toEqual(['+a'])
    expect(both('a', '')).toEqual(['-a'])
    expect(both('', '')).toEqual([])
  })

  it('comes from one to the other by its difference, whatever they are', () => {
    let seed = 7
    const random = (n: number) => (seed = (seed * 48271) % 0x7fffffff) % n
    const text = () => Array.from({ length: random(9) }, () => 'abc'[random(3)]).join('\n')
    for (let i = 0; i < 300; i++) {
      const [from, to] = [text(), text()]
      const d = diffLines(from, to)
      expect(d.filter((l) => l.sign !== '+').map((l) => l.text).join('\n')).toBe(from)
      expect(d.filter((l) => l.sign !== '-').map((l) => l.text).join('\n')).toBe(to)
    }
  })
})

describe('what a backtest found', () => {
  const o = (dev: string, from: string, to?: string) => ({ key: `r/${dev}`, device: dev, from, to }) as Occurrence
  const all = [o('b', '1970-01-01T00:00:10Z', '1970-01-01T00:00:20Z'), o('b', '1970-01-01T00:00:30Z'), o('a', '1970-01-01T00:00:40Z')]

  it('stands in times of one device, to the end of what is not over', () => {
    expect(bandsOf(all, 'b', '1970-01-01T00:01:00Z')).toEqual([{ from: 10, to: 20 }, { from: 30, to: 60 }])
  })
  it('names the loudest device first, and those that are silent', () => {
    expect(loudest(all, ['c', 'a', 'b'])).toEqual(['b', 'a', 'c'])
    expect(loudest([], [])).toEqual([])
  })
})

describe('the stream of a backtest', () => {
  const ask = { rule: 'x', from: 'a', to: 'b' }
  const answer = (status: number, ...parts: string[]) => (async () => new Response(new ReadableStream({
    start(c) {
      for (const p of parts) c.enqueue(new TextEncoder().encode(p))
      c.close()
    },
  }), { status })) as typeof fetch
  const run = async (f: typeof fetch, signal = new AbortController().signal) => {
    const seen: (number | string)[] = []
    const result = await runBacktest(f, ask, (p, place) => seen.push(place ? `#${place}` : p), signal)
    return { seen, result }
  }

  it('says how far it is, wherever its lines are cut, and ends with the result', async () => {
    expect(await run(answer(200, '{"progress":0}\n{"prog', 'ress":0.5}\n\n{"result":{"alarms":3}}\n'))).toEqual({ seen: [0, 0.5], result: { alarms: 3 } })
    expect(await run(answer(200, '{"place":2}\n{"place":1}\n{"progress":0}\n{"result":{}}'))).toMatchObject({ seen: ['#2', '#1', 0] })
    expect(await run(answer(200, '{"result":{"alarms":1}}'))).toMatchObject({ result: { alarms: 1 } })
  })

  it('fails as the server says, before it began and in the middle', async () => {
    const error = '"error":{"code":"too_many","message":{"zh":"忙","en":"busy"}}'
    await expect(run(answer(429, `{${error}}`))).rejects.toMatchObject({ status: 429, code: 'too_many', text: { en: 'busy' } })
    await expect(run(answer(200, `{"progress":0.1}\n{${error}}\n`))).rejects.toBeInstanceOf(ApiError)
  })

  it('is unreachable when it breaks off, and aborted when somebody stopped it', async () => {
    await expect(run(answer(200, '{"progress":0.1}\n'))).rejects.toBeInstanceOf(Unreachable)
    await expect(run((async () => { throw new TypeError('network') }) as typeof fetch)).rejects.toBeInstanceOf(Unreachable)
    const stopped = new AbortController()
    stopped.abort()
    await expect(run(answer(200), stopped.signal)).rejects.toMatchObject({ name: 'AbortError' })
  })
})

describe('figures', () => {
  it.each([['flood', 0.0042, '0.4%'], ['flood', 0.0001, '< 0.1%'], ['rate', 0.0002, '< 0.01'], ['rate', 0, '0'], ['top', 0.63, '63%'], ['rate', 0.083, '0.08'], ['peak', 1234.5, '1,235'], ['standing', 2, '2']] as const)('%s of %d is %s', (name, value, want) => {
    expect(figureText(name, value, 'en-GB')).toBe(want)
  })
  it.each([[200, ['peak', 'high', 'top']], [199, ['peak', 'high']], [20, ['peak', 'high']], [19, ['peak']], [0, ['peak']]])('of %i alarms that are beyond their limits are named %o, where so few say anything', (told, want) => {
    const fine = { value: 0, limit: 0.05, within: true, source: '' }
    const over = { ...fine, within: false }
    const all = { told, rate: fine, peak: over, flood: fine, chattering: fine, standing: fine, high: over, urgent: fine, top: over }
    expect(exceeding(all as unknown as Figures)).toEqual(want)
  })
  it('are of rules, but for patrols', () => {
    expect([ruleOf('water-night/main'), ruleOf('patrol/night@2026/gate')]).toEqual(['water-night', ''])
  })
})
