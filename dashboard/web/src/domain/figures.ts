import { figureNames, type FigureName, type Figures } from '../api/rules'

export const spans = { '24h': 86_400_000, '7d': 7 * 86_400_000, '30d': 30 * 86_400_000 } as const
export type Span = keyof typeof spans

const shares: ReadonlySet<FigureName> = new Set(['flood', 'high', 'urgent', 'top'])

/** figureText is a figure's value or limit: shares in percent, counts with two decimals at most. What is more than nothing is not written as 0. */
export function figureText(name: FigureName, value: number, locale: string): string {
  const least = shares.has(name) ? 0.001 : 0.01
  if (value > 0 && value < least) return `< ${figureText(name, least, locale)}`
  return shares.has(name)
    ? value.toLocaleString(locale, { style: 'percent', maximumFractionDigits: value < 0.1 ? 1 : 0 })
    : value.toLocaleString(locale, { maximumFractionDigits: value < 10 ? 2 : 0 })
}

// How many alarms a share is of, if it is not none.
const least: Partial<Record<FigureName, number>> = { high: 1, urgent: 1, top: 10 }

/** tooFew reports whether a share says nothing because a single alarm, or one of each of ten sources, would be beyond its limit. */
export function tooFew(f: Figures, name: FigureName): boolean {
  const n = least[name]
  return n !== undefined && f.told * f[name].limit < n
}

/** exceeding lists the figures that are not within their limits. */
export function exceeding(f: Figures): FigureName[] {
  return figureNames.filter((name) => !f[name].within && !tooFew(f, name))
}

/** ruleOf is the rule that a key is of; "" for patrols, which no rule makes. */
export function ruleOf(key: string): string {
  const rule = key.split('/')[0]!
  return rule === 'patrol' ? '' : rule
}
