import { shallowReactive } from 'vue'
import type { Text } from '../api/types'
import type office from './office.zh.json'
import type zh from './zh.json'

export type Key = keyof typeof zh | keyof typeof office
export type Lang = 'zh' | 'en'
export type Words = Record<Key, string>
export type Params = Record<string, string | number>

const storageKey = 'gengfu.lang'

type Book = 'first' | 'office'
type Part = Promise<{ default: Partial<Words> }>

// What a phone needs first is one book; the words of office pages come with them.
const books: Record<Book, Record<Lang, () => Part>> = {
  first: { zh: () => import('./zh.json'), en: () => import('./en.json') },
  office: { zh: () => import('./office.zh.json'), en: () => import('./office.en.json') },
}
const open = new Set<Book>(['first'])

const spoken = shallowReactive({ lang: 'zh' as Lang, words: {} as Words })

/** The language of the page. */
export function lang(): Lang {
  return spoken.lang
}

/** The locale for Intl. */
export function locale(): string {
  return spoken.lang === 'zh' ? 'zh-CN' : 'en-GB'
}

/** chooseLang is the language asked for in the address, else the remembered one, else Chinese. */
export function chooseLang(search: string, remembered: string | null): Lang {
  const asked = new URLSearchParams(search).get('lang') ?? remembered
  return asked === 'en' ? 'en' : 'zh'
}

/** speak loads a language and switches the page to it. */
export async function speak(to: Lang): Promise<void> {
  const parts = await Promise.all([...open].map((book) => books[book][to]()))
  spoken.words = Object.assign({}, ...parts.map((part) => part.default))
  spoken.lang = to
  document.documentElement.lang = to === 'zh' ? 'zh-CN' : 'en'
}

/** withOffice loads a page together with the words of the office. */
export async function withOffice<T>(page: Promise<T>): Promise<T> {
  const words = open.has('office') ? undefined : books.office[spoken.lang]()
  const [loaded, part] = await Promise.all([page, words])
  if (part) {
    open.add('office')
    spoken.words = { ...spoken.words, ...part.default }
  }
  return loaded
}

export function rememberedLang(): string | null {
  try { return localStorage.getItem(storageKey) } catch { return null }
}

export function rememberLang(to: Lang): void {
  try { localStorage.setItem(storageKey, to) } catch { /* private mode: it lasts until the page closes */ }
}

/** t is the sentence of a key, with {name} replaced from params; "one|many" is chosen by n. */
export function t(key: Key, params?: Params): string {
  return fill(spoken.words[key] ?? key, params)
}

/** fill replaces {name} in a sentence of the form "text" or "singular|plural". */
export function fill(sentence: string, params?: Params): string {
  if (!params) return sentence
  const [one, many] = sentence.split('|')
  const form = many === undefined || params.n === 1 ? one! : many
  return form.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole))
}

/** pick is the text in the page's language, or in the other when it has none. */
export function pick(text: Text | null | undefined): string {
  if (!text) return ''
  return spoken.lang === 'en' ? text.en || text.zh : text.zh || text.en
}

/** has reports whether a key that was put together from data has a sentence. */
export function has(key: string): key is Key {
  return key in spoken.words
}
