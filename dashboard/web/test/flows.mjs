// What only a real browser shows: a tap without a network, the service worker, tabs
// that share one stream, an alarm on an open page, a lost server. On the mock.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { createMock } from './mock/server.mjs'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
if (!existsSync(executablePath)) {
  console.error(`${executablePath} is missing: install chromium, or name it in CHROMIUM`)
  process.exit(process.env.CI === 'true' ? 1 : 0)
}
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] })

async function flow(name, run) {
  const mock = createMock()
  const base = await mock.listen()
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const signIn = async (login) => {
    await page.goto(`${base}/sign-in`)
    await page.getByTestId(`demo-login-${login}`).click()
    await page.waitForURL((u) => u.pathname !== '/sign-in')
  }
  try {
    await run({ mock, base, context, page, signIn })
    console.log(`ok    ${name}`)
  } catch (error) {
    process.exitCode = 1
    const shown = await page.locator('body').innerText({ timeout: 1_000 }).catch(() => '')
    console.log(`FAIL  ${name}\n${error.stack}\non ${page.url()}:\n${shown}`)
  }
  await context.close()
  await mock.close()
}

await flow('a tag that is opened signed out counts after the sign-in', async ({ base, page }) => {
  await page.goto(`${base}/t/pump-2b8c44`)
  await page.getByTestId('demo-login-zhao').click()
  await page.locator('[data-testid=tap-done][data-state=sent]').waitFor()
  assert.equal(new URL(page.url()).pathname, '/t/pump-2b8c44')
})

await flow('a tap is counted in under a second, and once however often the page is loaded', async ({ base, page, signIn }) => {
  await signIn('zhao')
  await page.evaluate(() => navigator.serviceWorker.ready)
  await page.goto(`${base}/t/pump-2b8c44`)
  await page.getByTestId('tap-done').waitFor()
  const ms = await page.evaluate(() => performance.now())
  assert.ok(ms < 1_000, `${ms} ms`)
  console.log(`      counted ${Math.round(ms)} ms after the tag was opened`)
  await page.locator('[data-testid=tap-done][data-state=sent]').waitFor()
  await page.reload()
  await page.getByTestId('tap-done').waitFor()
  const { taps } = await page.evaluate(async () => (await fetch('/api/taps')).json())
  assert.equal(taps.length, 1)
  await page.goto(`${base}/walk`)
  await page.locator('[data-testid=visit-pump-room][data-verdict=on_time]').waitFor()
})

await flow('taps without a network are kept, shown one by one, and sent when it is back', async ({ base, context, page, signIn }) => {
  await signIn('zhao')
  await page.evaluate(() => navigator.serviceWorker.ready)
  await page.goto(`${base}/walk`)
  await page.locator('[data-testid=visit-gate]').waitFor()
  await page.waitForFunction(async () => (await indexedDB.databases()).length > 0)
  await context.setOffline(true)
  for (const token of ['pump-2b8c44', 'power-91ee02']) {
    await page.goto(`${base}/t/${token}`)
    await page.locator('[data-testid=tap-done][data-state=waiting]').waitFor()
  }
  assert.match(await page.getByTestId('tap-done').innerText(), /配电室/)
  await page.goto(`${base}/walk`)
  await page.locator('[data-testid=queue-item][data-state=waiting]').nth(1).waitFor()
  assert.equal(await page.getByTestId('walk-left').innerText(), '还剩 2 处')
  await page.getByTestId('live-banner').waitFor()
  await context.setOffline(false)
  await page.locator('[data-testid=queue-item][data-state=sent]').nth(1).waitFor()
  const { taps } = await page.evaluate(async () => (await fetch('/api/taps')).json())
  assert.deepEqual(taps.map((t) => t.checkpoint).sort(), ['power-room', 'pump-room'])
  assert.ok(taps.every((t) => Date.parse(t.received_at) > Date.parse(t.tapped_at)))
})

await flow('a new alarm stands on the open page, and tabs share one stream', async ({ mock, base, context, page, signIn }) => {
  await signIn('li')
  await page.goto(`${base}/alarms`)
  await page.getByTestId('alarm-row').first().waitFor()
  const tabs = []
  for (let i = 0; i < 7; i++) {
    const tab = await context.newPage()
    await tab.goto(`${base}/`)
    await tab.getByTestId('state-banner').waitFor()
    tabs.push(tab)
  }
  assert.equal(mock.clients.size, 1)
  mock.raise({ id: 'a9', key: 'x', rule: 'x', title: { zh: '配电室水浸', en: 'Water in the power room' }, priority: 'P1', state: 'unacknowledged', shown: 'unacknowledged', holds: [], unknown: false, count: 1, raised_at: new Date().toISOString(), last_at: new Date().toISOString() })
  await page.getByText('配电室水浸').first().waitFor()
  await tabs[6].getByText('配电室水浸').first().waitFor()
  await page.getByTestId('alarm-row').first().getByTestId('alarm-ack').click()
  await page.locator('[data-testid=alarm-row][data-id=a9][data-state=acknowledged]').waitFor()
  await tabs[6].locator('[data-testid=alarm-row][data-id=a9][data-state=acknowledged]').waitFor()
  await page.close()
  await tabs[0].waitForFunction(() => document.querySelector('.live-dot.on'))
  assert.equal(mock.clients.size, 1)
})

await flow('an order goes from the desk to the technician and back', async ({ base, page, context, signIn }) => {
  await signIn('li')
  await page.goto(`${base}/orders/o1`)
  await page.getByTestId('assign-select').selectOption('zhang')
  await page.getByTestId('order-action-assign').click()
  await page.locator('[data-testid=order-state][data-state=assigned]').waitFor()
  await context.clearCookies()
  await signIn('zhang')
  const card = page.locator('[data-testid=order-row][data-id=o1]')
  for (const action of ['accept', 'arrive', 'start']) await card.getByTestId(`order-action-${action}`).click()
  const png = Buffer.from(await page.evaluate(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 4000, height: 3000 })
    canvas.getContext('2d').fillRect(0, 0, 4000, 3000)
    const blob = await new Promise((resolve) => canvas.toBlob(resolve))
    return [...new Uint8Array(await blob.arrayBuffer())]
  }))
  await card.getByTestId('photo-input').setInputFiles({ name: 'x.png', mimeType: 'image/png', buffer: png })
  await card.getByTestId('order-action-complete').click()
  await card.getByTestId('note-submit').click()
  assert.ok(await card.getByTestId('note-input').isVisible(), 'an empty note is not taken')
  await card.getByTestId('note-input').fill('更换密封圈')
  await card.getByTestId('note-submit').click()
  await page.locator('[data-testid=waiting-row][data-id=o1]').click()
  await page.locator('[data-testid=timeline-event][data-action=complete]').waitFor()
  assert.deepEqual(await page.getByTestId('timeline-event').evaluateAll((es) => es.map((e) => e.dataset.action)), ['complete', 'photo', 'start', 'arrive', 'accept', 'assign', 'recur', 'recur', 'create'])
  const photo = page.locator('[data-testid=timeline-event][data-action=photo] img')
  await photo.scrollIntoViewIfNeeded()
  await page.waitForFunction((img) => img.complete, await photo.elementHandle())
  assert.deepEqual(await photo.evaluate(async (img) => [img.naturalWidth, img.naturalHeight, (await (await fetch(img.src)).blob()).type]), [1600, 1200, 'image/jpeg'])
})

await flow('a server that is gone makes the state unknown, not well', async ({ mock, page, signIn }) => {
  await signIn('wang')
  await page.locator('[data-testid=state-banner][data-state=alarm]').waitFor()
  mock.server.close()
  for (const c of mock.clients) c.destroy()
  mock.server.closeAllConnections()
  await page.getByTestId('live-banner').waitFor()
  await page.locator('[data-testid=state-banner][data-state=unknown]').waitFor({ timeout: 20_000 })
  assert.match(await page.title(), /情况不明/)
})

await browser.close()
