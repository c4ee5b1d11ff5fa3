import { figureNames, type FigureName, type Figures } from '../api/rules'

export const spans = { '24h': 86_400_000, '7d': 7 * 86_400_000, '30d': 30 * 86_400_000 } as const
export type Span = keyof typeof spans

const shares: ReadonlySet<FigureName> = new Set(['flood', 'high', 'urgent', 'top'])

/** figureText is a figure's value or limit: shares in percent, counts with two decimals at most. */
export function figureText(name: FigureName, value: number, locale: string): string {
  return shares.has(name)
    ? value.toLocaleString(locale, { style: 'percent', maximumFractionDigits: value < 0.1 ? 1 : 0 })
    : value.toLocaleString(locale, { maximumFractionDigits: value < 10 ? 2 : 0 })
}

/** exceeding lists the figures that are not within their limits. */
export function exceeding(f: Figures): FigureName[] {
  return figureNames.filter((name) => !f[name].within)
}

/** ruleOf is the rule that a key is of; "" for patrols, which no rule makes. */
export function ruleOf(key: string): string {
  const rule = key.split('/')[0]!
  return rule === 'patrol' ? '' : rule
}
