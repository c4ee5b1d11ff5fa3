// What a page must not have, whatever it shows.
import axe from 'axe-core'

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** examine finds what axe finds, a page wider than its screen, and on touch screens targets under 44 px. */
export async function examine(page, { touch }) {
  return [...await violations(page), ...await tooWide(page), ...(touch ? await smallTargets(page) : [])]
}

async function violations(page) {
  // Through the debugger, because the page's own CSP admits no foreign script.
  const client = await page.context().newCDPSession(page)
  await client.send('Runtime.evaluate', { expression: `self.axe || (() => { ${axe.source} })()` })
  const { result } = await client.send('Runtime.evaluate', {
    expression: `axe.run(document, { runOnly: ${JSON.stringify(rules)}, resultTypes: ['violations'] }).then((r) => JSON.stringify(r.violations.flatMap((v) => v.nodes.map((n) => v.id + ': ' + n.html.slice(0, 160) + ' ' + n.any.concat(n.all, n.none).map((c) => c.message).join('; ').slice(0, 200)))))`,
    awaitPromise: true, returnByValue: true,
  })
  await client.detach()
  return JSON.parse(result.value).map((v) => `axe ${v}`)
}

/** tooWide finds a page that must be pushed sideways to be read. */
export async function tooWide(page) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  return wide > 0 ? [`${wide} px wider than the screen`] : []
}

async function smallTargets(page) {
  const small = await page.evaluate(() => {
    const open = document.querySelector('dialog[open]')
    return [...(open ?? document).querySelectorAll('a, button, select, summary, input, textarea')].filter((e) => {
      const r = e.getBoundingClientRect()
      if (r.width === 0 || e.closest('.sr, .skip') || getComputedStyle(e).visibility === 'hidden') return false
      // A link within a sentence is exempt (WCAG 2.5.8).
      if (e.tagName === 'A' && getComputedStyle(e).display === 'inline') return false
      const box = e.matches('input[type=checkbox], input[type=radio]') ? e.closest('label').getBoundingClientRect() : r
      return box.height < 43.5 || box.width < 43.5
    }).map((e) => `${e.outerHTML.slice(0, 120)} ${Math.round(e.getBoundingClientRect().width)}×${Math.round(e.getBoundingClientRect().height)}`)
  })
  return small.map((s) => `small target ${s}`)
}
