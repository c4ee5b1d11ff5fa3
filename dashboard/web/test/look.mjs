// Opens every page in Chromium on the mock: phone and desktop, Chinese and English,
// light and dark. Takes a picture of each for people to judge, and fails on what
// axe finds, on errors in the console (a strict CSP among them), on a page wider
// than the screen and on touch targets under 44 px.
//   node test/look.mjs [folder for the pictures] [only pages with this in their name]
import { existsSync, mkdirSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { examine } from './examine.mjs'
import { createMock } from './mock/server.mjs'

const folder = process.argv[2] ?? ''
const only = process.argv[3] ?? ''
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
if (!existsSync(executablePath)) {
  console.error(`${executablePath} is missing: install chromium, or name it in CHROMIUM`)
  process.exit(process.env.CI === 'true' ? 1 : 0)
}
if (folder) mkdirSync(folder, { recursive: true })

// A wand's dump with all that a line can be, and one whose headings nobody knows.
const dump = ['序号,人员名称,地点名称,巡更时间,巡更棒编号', ...['东门', '生活泵房', '配电室', '西门', '地下车库 B2', '东门', '西门'].map((where, i) => `${i + 1},赵卫国,${where},2026-11-21 22:1${i % 5}:0${i % 5},A017`)].join('\r\n')
const bring = (text) => async (page) => {
  await page.getByTestId('dump-file').setInputFiles({ name: '巡更记录-2026-11-21.csv', mimeType: 'text/csv', buffer: Buffer.from(text) })
}
const dryRun = async (page) => { await bring(dump)(page); await page.getByTestId('dump-import').waitFor() }
const imported = async (page) => { await dryRun(page); await page.getByTestId('dump-import').click(); await page.getByTestId('dump-done').waitFor() }

const openEditor = async (page) => { await page.getByTestId('rule-edit').click(); await page.locator('[data-testid=rule-check][data-state=good]').waitFor() }
const mistaken = async (page) => {
  await openEditor(page)
  await page.getByTestId('rule-text').fill((await page.getByTestId('rule-text').inputValue()).replace('outlet_pressure <', 'outlet_presure <'))
  await page.locator('[data-testid=rule-check][data-state=bad]').waitFor()
}
const tried = async (page) => {
  await openEditor(page)
  await page.getByTestId('rule-text').fill((await page.getByTestId('rule-text').inputValue()).replace('on_delay: 5m', 'on_delay: 10s'))
  await page.locator('[data-testid=rule-check][data-state=good]').waitFor()
  await page.getByTestId('backtest-run').click()
  await page.locator('.u-over').waitFor()
}
// The mock's rules learn nothing.
const learned = async (page) => {
  await page.route('**/api/rules/*', async (route) => {
    const answer = await route.fetch()
    await route.fulfill({ response: answer, json: { ...(await answer.json()), learns: true } })
  })
  await page.reload()
  await page.getByTestId('alarm-usual').click()
}
const compared = (page) => page.locator('[data-testid=rule-version] summary').first().click()

const pages = [
  ['sign-in', '/sign-in', null], ['overview', '/', 'wang'], ['kiosk', '/?kiosk', 'wang'],
  ['alarms', '/alarms', 'li'], ['alarms-held', '/alarms?show=held', 'li'], ['alarm', '/alarms/a1', 'li'], ['alarm-held', '/alarms/a4', 'li'], ['alarm-latched', '/alarms/a5', 'zhang'],
  ['alarm-shelve', '/alarms/a1', 'li', 'alarm-shelve'], ['alarm-out', '/alarms/a1', 'li', 'alarm-take-out'], ['alarm-usual', '/alarms/a1', 'wang', learned],
  ['orders', '/orders', 'li'], ['order', '/orders/o1', 'li'], ['order-working', '/orders/o3', 'zhang'],
  ['my', '/my', 'zhang'], ['patrol', '/patrol', 'wang'], ['tags', '/tags', 'wang'], ['walk', '/walk', 'zhao'], ['tap', '/t/pump-2b8c44', 'zhao'],
  ['tap-refused', '/t/unknown-tag', 'zhao'], ['tap-no-guard', '/t/pump-2b8c44', 'li'], ['devices', '/devices', 'wang'], ['device', '/devices/tank', 'wang'],
  ['device-out', '/devices/pump-1', 'li', 'device-take-out'], ['device-counter', '/devices/main-water?point=total&range=7d', 'wang'], ['people', '/people', 'admin'],
  ['wand', '/wand', 'li'], ['wand-columns', '/wand', 'li', bring('1,东门,2026-11-21 22:10:00\n2,生活泵房,2026-11-21 22:18:00')], ['wand-dry', '/wand', 'li', dryRun], ['wand-done', '/wand', 'li', imported],
  ['rules', '/rules', 'wang'], ['rule', '/rules/pump-pressure-low', 'wang', compared], ['rule-mistaken', '/rules/pump-pressure-low', 'wang', mistaken], ['rule-tried', '/rules/pump-pressure-low', 'wang', tried], ['rule-read', '/rules/pump-fault', 'zhang'],
  ['figures', '/figures', 'wang'], ['figures-short', '/figures?span=7d', 'li'],
  ['health', '/health', 'wang'], ['health-open', '/health', 'wang', (page) => page.evaluate(() => document.querySelectorAll('.line details').forEach((d) => { d.open = true }))], ['me', '/me', 'zhao'], ['lost', '/no-such-page', 'li'], ['forbidden', '/people', 'zhao'],
  ['order-form', '/orders?new', 'li', null], ['note', '/orders/o3', 'zhang', 'order-action-complete'], ['scan', '/walk', 'zhao', 'tap-button'], ['person-form', '/people', 'admin', 'person-new'],
].filter(([name]) => name.includes(only))

const looks = [
  { name: 'phone-zh-light', viewport: { width: 390, height: 844 }, lang: 'zh', colorScheme: 'light', touch: true },
  { name: 'phone-en-dark', viewport: { width: 390, height: 844 }, lang: 'en', colorScheme: 'dark', touch: true },
  { name: 'desk-zh-dark', viewport: { width: 1440, height: 900 }, lang: 'zh', colorScheme: 'dark', touch: false },
  { name: 'desk-en-light', viewport: { width: 1440, height: 900 }, lang: 'en', colorScheme: 'light', touch: false },
]

const faults = []
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] })
for (const look of looks) {
  for (const [name, path, login, press] of pages) {
    const mock = createMock()
    const base = await mock.listen()
    const context = await browser.newContext({ viewport: look.viewport, colorScheme: look.colorScheme, hasTouch: look.touch, isMobile: look.touch, serviceWorkers: 'block', bypassCSP: false })
    const page = await context.newPage()
    const where = `${look.name} ${name}`
    page.on('pageerror', (e) => faults.push(`${where}: ${e.message}`))
    page.on('console', (m) => { if (m.type() === 'error' && !/40[134]/.test(m.text())) faults.push(`${where}: ${m.text()}`) })
    await page.goto(`${base}/sign-in?lang=${look.lang}`)
    if (login) {
      await page.getByTestId(`demo-login-${login}`).click()
      await page.waitForURL((u) => u.pathname !== '/sign-in')
      await page.goto(base + path)
    }
    await page.locator('h1').first().waitFor({ state: 'attached' })
    await page.waitForFunction(() => !document.querySelector('.loading'))
    await page.waitForLoadState('load')
    if (name.startsWith('tap') && !name.includes('no-guard')) await page.locator('[data-testid=tap-done]:not([data-state=waiting])').waitFor()
    if (name.startsWith('device')) await page.waitForFunction(() => !document.querySelector('.chart-panel') || document.querySelector('.u-over'))
    if (typeof press === 'function') await press(page)
    else if (press) await page.getByTestId(press).first().click()
    await page.evaluate(() => Promise.all(document.getAnimations().map((a) => a.finished)))
    for (const fault of await examine(page, look)) faults.push(`${where}: ${fault}`)
    if (folder) await page.screenshot({ path: `${folder}/${name}.${look.name}.png`, fullPage: typeof press !== 'string' && name !== 'kiosk' && name !== 'order-form' })
    await context.close()
    await mock.close()
  }
}
await browser.close()
console.log(faults.length ? faults.join('\n') : `nothing to mend on ${pages.length} pages in ${looks.length} looks`)
process.exit(faults.length ? 1 : 0)
