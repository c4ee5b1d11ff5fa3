import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'
import { speak, withOffice } from '../src/i18n'
import RuleEditor from '../src/parts/RuleEditor.vue'
import { mount } from './mount'

const asked: { path: string; method: string; body: Record<string, unknown> }[] = []
let answers: Record<string, { status: number; body: unknown }>

beforeAll(async () => {
  await speak('en')
  await withOffice(Promise.resolve())
})
beforeEach(() => {
  vi.useFakeTimers()
  asked.length = 0
  answers = { '/api/rules/check': { status: 200, body: { problems: [], devices: ['p1'] } } }
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    asked.push({ path, method: init.method ?? 'GET', body: JSON.parse(String(init.body)) })
    const a = answers[path]!
    return new Response(JSON.stringify(a.body), { status: a.status })
  })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  document.body.replaceChildren()
})

async function open(text: string, more: Record<string, unknown> = {}) {
  const told: Record<string, unknown[]> = { valid: [], saved: [], cancel: [] }
  const { root, props } = mount(RuleEditor, {
    modelValue: text, version: 3, ...more,
    'onUpdate:modelValue': (v: string) => { props.modelValue = v },
    onValid: (v: unknown) => told.valid!.push(v), onSaved: (v: unknown) => told.saved!.push(v), onCancel: () => told.cancel!.push(true),
  })
  await settle()
  const get = <T extends HTMLElement>(id: string) => root.querySelector<T>(`[data-testid=${id}]`)!
  const type = async (id: string, value: string) => {
    const e = get<HTMLTextAreaElement>(id)
    e.value = value
    e.dispatchEvent(new Event('input'))
    await nextTick()
  }
  return { root, told, get, type, area: get<HTMLTextAreaElement>('rule-text') }
}
const settle = () => vi.advanceTimersByTimeAsync(0).then(() => nextTick())
const state = (e: HTMLElement) => e.dataset.state

it('asks once when typing pauses, and shows the answer to the last text only', async () => {
  const { get, type, told } = await open('id: a')
  expect(asked).toHaveLength(1)
  expect(state(get('rule-check'))).toBe('good')
  for (const text of ['id: ab', 'id: abc', 'id: abcd']) await type('rule-text', text)
  expect(state(get('rule-check'))).toBe('asking')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(asked.map((a) => a.body.source)).toEqual(['id: a', 'id: abcd'])
  expect(told.valid).toEqual([false, true, false, true])
})

it('goes to the line and column of a problem', async () => {
  answers['/api/rules/check'] = { status: 200, body: { problems: [{ path: 'when', line: 2, column: 7, what: { zh: '没有点位', en: 'no point' }, cure: { zh: '写 "pressure"', en: 'write "pressure"' } }], devices: [] } }
  const { get, area } = await open('id: a\nwhen: presure < 2\nclear: x')
  expect(state(get('rule-check'))).toBe('bad')
  expect(get('rule-problem').textContent).toContain('Line 2, column 7 no point – write "pressure"')
  get('rule-problem').click()
  expect(document.activeElement).toBe(area)
  expect(area.value.slice(area.selectionStart, area.selectionEnd)).toBe('presure < 2')
})

it('indents by Tab, and lets Tab lead on after Escape', async () => {
  const { area } = await open('ab')
  const press = (key: string) => {
    const e = new KeyboardEvent('keydown', { key, cancelable: true })
    area.dispatchEvent(e)
    return e.defaultPrevented
  }
  area.setSelectionRange(1, 1)
  expect(press('Tab')).toBe(true)
  expect(area.value).toBe('a  b')
  press('Escape')
  expect(press('Tab')).toBe(false)
  press('x')
  expect(press('Tab')).toBe(true)
})

it('saves only what is right and has a reason, under its id and with the version that was read', async () => {
  answers['/api/rules/made'] = { status: 200, body: { rule: { id: 'made' } } }
  const { get, type, told } = await open('id: made\nwhen: x')
  const save = get<HTMLButtonElement>('rule-save')
  expect(save.disabled).toBe(true)
  await type('rule-reason', '   ')
  expect(save.disabled).toBe(true)
  await type('rule-reason', ' too loud ')
  expect(save.disabled).toBe(false)
  get('rule-save').closest('form')!.dispatchEvent(new Event('submit', { cancelable: true }))
  await settle()
  expect(asked.at(-1)).toEqual({ path: '/api/rules/made', method: 'PUT', body: { source: 'id: made\nwhen: x', reason: 'too loud', version: 3 } })
  expect(told.saved).toEqual([{ rule: { id: 'made' } }])
})

it('says in words that somebody else was faster, and keeps the text', async () => {
  answers['/api/rules/fixed'] = { status: 409, body: { error: { code: 'conflict', message: { zh: '冲突', en: 'conflict' } } } }
  const { root, type, told, area } = await open('id: other', { id: 'fixed' })
  await type('rule-reason', 'why')
  root.querySelector('form')!.dispatchEvent(new Event('submit', { cancelable: true }))
  await settle()
  expect(root.querySelector('[role=alert]')!.textContent).toContain('Somebody else has just saved this rule')
  expect(told.saved).toEqual([])
  expect(area.value).toBe('id: other')
})
