import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import en from '../src/i18n/en.json'
import { chooseLang, fill, lang, pick, speak, t, type Key } from '../src/i18n'
import zh from '../src/i18n/zh.json'

const keys = Object.keys(zh) as Key[]
const holes = (s: string) => [...new Set(s.match(/\{\w+\}/g) ?? [])].sort()

describe('the two languages', () => {
  it('say the same things', () => {
    expect(Object.keys(en).sort()).toEqual([...keys].sort())
  })

  it.each(keys)('%s has a sentence with the same holes in both', (key) => {
    expect(zh[key].trim()).not.toBe('')
    expect(en[key].trim()).not.toBe('')
    expect(holes(en[key])).toEqual(holes(zh[key]))
  })

  it('have no Chinese in English', () => {
    expect(Object.entries(en).filter(([, s]) => /\p{Script=Han}/u.test(s))).toEqual([])
  })

  it('have no sentence that no page says', () => {
    const src = join(__dirname, '../src')
    const code = readdirSync(src, { recursive: true, encoding: 'utf8' })
      .filter((f) => /\.(vue|ts)$/.test(f)).map((f) => readFileSync(join(src, f), 'utf8')).join('\n')
    // t(`order.state.${s}`) and t(`scan.${mode}_ready`) say whatever fits.
    const patterns = [...code.matchAll(/`([a-z_]+\.[\w.]*)\$\{[^}]*\}(\w*)`/g)].map((m) => new RegExp(`^${m[1]!.replaceAll('.', '\\.')}\\w+${m[2]}$`))
    const unsaid = keys.filter((k) => !code.includes(`'${k}'`) && !patterns.some((p) => p.test(k)))
    expect(unsaid).toEqual([])
  })
})

describe('fill', () => {
  it.each([
    ['{n} left', { n: 3 }, '3 left'],
    ['one checkpoint|{n} checkpoints', { n: 1 }, 'one checkpoint'],
    ['one checkpoint|{n} checkpoints', { n: 0 }, '0 checkpoints'],
    ['{a} and {b}', { a: 'x' }, 'x and {b}'],
    ['{a}', { a: '<b>{a}</b>' }, '<b>{a}</b>'],
  ])('%s with %o is %s', (sentence, params, want) => {
    expect(fill(sentence, params)).toBe(want)
  })
})

describe('the language of the page', () => {
  it.each([
    ['', null, 'zh'], ['', 'en', 'en'], ['?lang=zh', 'en', 'zh'], ['?lang=en', null, 'en'], ['?lang=fr', 'en', 'zh'],
  ])('%s remembered %s is %s', (search, remembered, want) => {
    expect(chooseLang(search, remembered)).toBe(want)
  })

  it('switches all sentences and texts', async () => {
    await speak('en')
    expect([lang(), t('nav.alarms'), pick({ zh: '泵', en: 'Pump' }), pick({ zh: '泵', en: '' })]).toEqual(['en', 'Alarms', 'Pump', '泵'])
    expect(document.documentElement.lang).toBe('en')
    await speak('zh')
    expect([t('nav.alarms'), pick({ zh: '', en: 'Pump' }), pick(null)]).toEqual(['报警', 'Pump', ''])
  })
})
