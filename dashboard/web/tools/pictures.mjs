// Takes the pictures of README.md from a demo estate with a broken pump:
//   GENGFU=/path/to/gengfu node tools/pictures.mjs
// It waits for a round to begin, at most two minutes. Needs ImageMagick, to make the files small.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { phone, signIn, startBrowser, startEstate, until } from '../e2e/estate.mjs'

const images = fileURLToPath(new URL('../../../docs/images/', import.meta.url))
const site = await readFile(new URL('../../../configs/demo.yaml', import.meta.url), 'utf8')
const token = (checkpoint) => new RegExp(`\\{id: ${checkpoint},.*token: ([\\w-]+)\\}`).exec(site)[1]
// One round a day, that begins soon: the pictures show its first minute.
const soon = new Intl.DateTimeFormat('en-GB', { timeZone: 'Asia/Shanghai', hour: '2-digit', minute: '2-digit' }).format(Date.now() + 75_000)
const config = site.replace('every: 1h, from: "00:00", until: "00:00",', `times: ["${soon}"],`).replace('整点巡更', '傍晚巡更')
if (!config.includes(soon)) throw new Error('the plan of configs/demo.yaml has changed')

const [estate, browser] = await Promise.all([startEstate({ config }), startBrowser()])
try {
  await take()
} finally {
  await browser.close()
  await estate.stop()
}

async function take() {
  const guard = await signIn(browser, estate, 'zhao', phone, '/walk')
  await guard.getByTestId('walk-round').waitFor({ timeout: 130_000 })
  for (const checkpoint of ['gate', 'pump-room']) {
    await guard.goto(`/t/${token(checkpoint)}`)
    await guard.locator('[data-testid=tap-done][data-state=sent]').waitFor()
  }
  await guard.goto('/walk')
  await guard.locator('[data-verdict=on_time]').nth(1).waitFor()

  await estate.simulate('break-pump', '1')
  const desk = await signIn(browser, estate, 'li', { viewport: { width: 1280, height: 800 } }, '/orders')
  const order = desk.getByTestId('order-row').filter({ hasText: '1号生活泵' })
  await order.click()
  await desk.getByTestId('assign-select').selectOption('zhang')
  await desk.getByTestId('order-action-assign').click()
  await desk.locator('[data-testid=order-state][data-state=assigned]').first().waitFor()
  const technician = await signIn(browser, estate, 'zhang', phone, '/my')
  await technician.getByTestId('order-action-accept').click()
  await technician.locator('[data-testid=order-state][data-state=accepted]').first().waitFor()

  await desk.goto('/')
  const manager = await signIn(browser, estate, 'wang', phone, '/')
  for (const page of [desk, manager]) await page.locator('[data-testid=state-banner][data-state=alarm]').waitFor()
  await until(async () => !/稍后|离线/.test(await desk.locator('main').innerText()), 'everything to be known')
  await gone(technician)
  await desk.screenshot({ path: `${images}overview.png` })
  await sideBySide([guard, technician, manager], `${images}phone.png`)
  for (const name of ['overview', 'phone']) await promisify(execFile)('convert', [`${images}${name}.png`, '-dither', 'None', '-colors', '192', '-strip', `PNG8:${images}${name}.png`])
}

/** Waits until the messages at the bottom of a page are gone. */
function gone(page) {
  return page.locator('.toast').first().waitFor({ state: 'detached' })
}

async function sideBySide(pages, path) {
  const shots = await Promise.all(pages.map(async (p) => (await p.screenshot()).toString('base64')))
  const sheet = await browser.newPage({ viewport: { width: 1280, height: 880 } })
  await sheet.setContent(`<style>body{margin:0;height:880px;display:flex;gap:32px;justify-content:center;align-items:center;background:#e4e9ee}img{height:832px;border-radius:28px;box-shadow:0 8px 32px #0003}</style>${shots.map((s) => `<img src="data:image/png;base64,${s}">`).join('')}`)
  await sheet.screenshot({ path })
}
