import type { Notice } from '../api/types'
import { pick, t } from '../i18n'

/** noticeWords says a notice in one sentence: the first alarm, how many there are, and what follows from it. */
export function noticeWords(n: Notice): string {
  const first = n.alarms[0]
  if (!first) return ''
  const title = pick(first.title)
  const words = n.alarms.length > 1 ? t('notices.many', { n: n.alarms.length, title }) : title
  const cause = n.alarms.find((a) => a.follow > 0)
  return words + (cause ? t('notices.follow', { n: cause.follow, title: pick(cause.title) }) : '')
}

// Times end in Z behind as many digits as they need: with it, "1.5Z" would come before "1Z".
const later = (a: string, b: string) => a.slice(0, -1) > b.slice(0, -1)

/** unseen counts the notices after the instant that was seen last. */
export function unseen(notices: readonly Notice[], seen: string): number {
  return notices.filter((n) => later(n.at, seen)).length
}

/** withNotice puts one in its place, newest first, each once, so many at most. */
export function withNotice(notices: readonly Notice[], n: Notice, most = 200): Notice[] {
  const rest = notices.filter((x) => x.id !== n.id)
  const at = rest.findIndex((x) => later(n.at, x.at) || x.at === n.at && x.id < n.id)
  rest.splice(at < 0 ? rest.length : at, 0, n)
  return rest.slice(0, most)
}
