import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { chooseLang, fill, lang, pick, speak, t, withOffice, type Key } from '../src/i18n'
import enFirst from '../src/i18n/en.json'
import enOffice from '../src/i18n/office.en.json'
import zhOffice from '../src/i18n/office.zh.json'
import zhFirst from '../src/i18n/zh.json'

const zh = { ...zhFirst, ...zhOffice }
const en = { ...enFirst, ...enOffice }
const keys = Object.keys(zh) as Key[]
const holes = (s: string) => [...new Set(s.match(/\{\w+\}/g) ?? [])].sort()

describe('the two languages', () => {
  it('say the same things', () => {
    expect(Object.keys(enFirst).sort()).toEqual(Object.keys(zhFirst).sort())
    expect(Object.keys(enOffice).sort()).toEqual(Object.keys(zhOffice).sort())
  })

  it('say nothing twice', () => {
    expect(Object.keys(zhOffice).filter((k) => k in zhFirst)).toEqual([])
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

  it('has the words of the office with its pages, in the language that is spoken then', async () => {
    expect(t('people.new')).toBe('people.new')
    expect(await withOffice(Promise.resolve('page'))).toBe('page')
    expect(t('people.new')).toBe(zh['people.new'])
    await speak('en')
    expect([t('people.new'), t('nav.alarms')]).toEqual([en['people.new'], 'Alarms'])
    await speak('zh')
  })
})
