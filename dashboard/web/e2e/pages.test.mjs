// Every page for everybody who may see it, and what holds on all of them: they say
// when a device is silent, when the gateway is away, and keep a tap without a network.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { examine, tooWide } from '../test/examine.mjs';
import { desktop, openPage, phone, signIn, startBrowser, startEstate, until } from './estate.mjs';

let estate;
let browser;
let tokens;
before(async () => {
  const site = await readFile(new URL('../../../configs/demo.yaml', import.meta.url), 'utf8');
  tokens = Object.fromEntries([...site.matchAll(/- \{id: ([a-z-]+),.*token: ([A-Za-z0-9-]+)\}/g)].map((m) => [m[1], m[2]]));
  [estate, browser] = await Promise.all([startEstate(), startBrowser()]);
  await estate.simulate('break-pump', '1');
});
after(async () => {
  await browser?.close();
  await estate?.stop();
});

const api = (page, path) => page.evaluate(async (p) => (await fetch(p)).json(), path);

const people = { admin: 'admin', manager: 'wang', desk: 'li', technician: 'zhang', guard: 'zhao', viewer: 'guest' };

// What docs/api.md says of who may see what.
const pages = [
  ['/', 'see_estate'], ['/?kiosk', 'see_estate'], ['/alarms', 'see_estate'], ['/alarms?show=all', 'see_estate'],
  ['/alarms?show=held', 'see_estate'], ['/alarms/ALARM', 'see_estate'],
  ['/orders?show=all'], ['/orders/ORDER', 'see_all_orders'], ['/my'],
  ['/patrol', 'see_patrol'], ['/tags', 'see_audit'], ['/wand', 'import_taps'], ['/walk', 'make_tap'], ['/t/TOKEN', 'make_tap'],
  ['/rules', 'see_estate'], ['/rules/outlet-pressure-low', 'see_estate'], ['/figures', 'see_figures'],
  ['/devices', 'see_estate'], ['/devices/pump-1', 'see_estate'], ['/devices/main-power?point=energy_total&range=30d', 'see_estate'],
  ['/devices/water-a?point=total&range=30d', 'see_estate'], ['/people', 'manage_people'], ['/health', 'see_health'], ['/me'],
];

/** Waits until a page has shown all that it loads. */
async function settled(page) {
  await page.locator('h1').first().waitFor({ state: 'attached' });
  await page.waitForFunction(() => !document.querySelector('.loading') && (!document.querySelector('.chart-panel') || document.querySelector('.u-over')));
  await page.evaluate(() => Promise.all(document.getAnimations().map((a) => a.finished)));
}

// Each page is examined in both languages and both sizes, by somebody; its width in both sizes by everybody.
const looksOf = (login) => (['admin', 'li', 'zhang'].includes(login)
  ? [['zh', phone, desktop], ['en', desktop, phone]]
  : [['en', phone, desktop], ['zh', desktop, phone]]);

for (const [role, login] of Object.entries(people)) {
  test(`every page of the ${role}, in two languages and sizes`, { timeout: 600_000 }, async () => {
    const faults = await Promise.all(looksOf(login).map((how) => look(login, ...how)));
    assert.deepEqual(faults.flat(), []);
  });
}

async function look(login, lang, device, other) {
  const page = await signIn(browser, estate, login, device, '/me', lang);
  const { permissions } = await api(page, '/api/session');
  const { orders } = await api(page, '/api/orders?show=all');
  const { alarms } = await api(page, '/api/alarms');
  const found = [];
  let seen = 0;
  for (const [pattern, needs] of pages) {
    const where = `${login} ${lang} ${device === phone ? 'phone' : 'desktop'} ${pattern}`;
    await page.goto(pattern.replace('TOKEN', tokens.gate).replace('ORDER', orders[0]?.id).replace('ALARM', alarms?.[0]?.id ?? 'none'));
    if (needs && !permissions.includes(needs)) {
      found.push(...await refused(page, pattern, where));
      continue;
    }
    seen++;
    await settled(page);
    const faults = await examine(page, { touch: device === phone });
    await page.setViewportSize(other.viewport);
    faults.push(...await tooWide(page));
    await page.setViewportSize(device.viewport);
    found.push(...[...faults, ...page.errors.splice(0).map(String)].map((fault) => `${where}: ${fault}`));
  }
  await page.context().close();
  assert.ok(seen >= 4, `${login} sees only ${seen} pages`);
  return found;
}

/** What a page that is not for this person must be: refused, or a question to the wrong person. */
async function refused(page, pattern, where) {
  // An order that one may not see is not found; the start is everybody's, and a tag says who may tap.
  if (pattern.startsWith('/orders/') || pattern === '/' || pattern === '/?kiosk' || pattern.startsWith('/t/')) return [];
  await page.waitForURL((url) => url.pathname === '/forbidden', { timeout: 5_000 }).catch(() => {});
  return new URL(page.url()).pathname === '/forbidden' ? [] : [`${where}: not refused`];
}

test('consumption per day is drawn for kWh and m³, over thirty days', { timeout: 600_000 }, async () => {
  const page = await signIn(browser, estate, 'wang', desktop, '/devices');
  for (const [path, unit] of [['/devices/main-power?point=energy_total&range=30d', 'kWh'], ['/devices/water-a?point=total&range=30d', 'm³']]) {
    await page.goto(path);
    const panel = page.getByTestId('consumption');
    const chart = panel.getByTestId('chart');
    await chart.locator('.u-over').waitFor();
    await panel.getByText(new RegExp(`合计 [\\d,.]+ ${unit}`)).first().waitFor(); // the chart stands before all of it is read
    // The arrows walk over thirty days, each with an amount.
    await chart.focus();
    const amounts = [];
    await page.keyboard.press('Home');
    for (let i = 0; i < 30; i++, await page.keyboard.press('ArrowRight')) amounts.push(await panel.getByTestId('chart-readout').locator('b').innerText());
    assert.equal(new Set(amounts).size > 20, true, amounts.join(' '));
    for (const a of amounts.slice(1)) assert.ok(Number(a.replace(/[^\d.]/g, '')) > 0, `${a} a day`);
    // The line of the counter itself has no breaks: nothing is missing.
    const history = await api(page, `/api/history/${path.split('/')[2].split('?')[0]}/${new URL(path, estate.url).searchParams.get('point')}?steps=300&from=${new Date(Date.now() - 30 * 86_400_000).toISOString()}&to=${new Date().toISOString()}`);
    assert.ok(history.buckets.length > 250, `${history.buckets.length} buckets`);
  }
  assert.deepEqual(page.errors, []);
});

test('somebody signs in by keyboard alone', { timeout: 600_000 }, async () => {
  const page = await openPage(browser, estate, desktop);
  await page.goto('/sign-in');
  await page.getByTestId('login-input').waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-testid') ?? document.activeElement?.className);
  const tabTo = async (id) => {
    for (let i = 0; i < 30 && await focused() !== id; i++) await page.keyboard.press('Tab');
    assert.equal(await focused(), id);
  };
  await tabTo('login-input');
  await page.keyboard.type('wang');
  await tabTo('password-input');
  await page.keyboard.type('wrong');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  await tabTo('password-input');
  await page.keyboard.type('gengfu-wang');
  await tabTo('login-submit');
  await page.keyboard.press('Enter');
  await page.getByTestId('state-banner').waitFor();
  await tabTo('nav-alarms');
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.pathname === '/alarms');
  await page.waitForFunction(() => document.activeElement?.id === 'main');
  await page.getByTestId('alarm-row').first().waitFor();
  assert.deepEqual(page.errors, []);
});

test('a silent meter is offline in words, its last values are doubted, and it comes back', { timeout: 600_000 }, async () => {
  const overview = await signIn(browser, estate, 'wang', desktop, '/');
  const tile = overview.getByTestId('tile-water-a/flow');
  await tile.and(overview.locator(':not(.doubted)')).waitFor();
  const devices = await overview.context().newPage();
  await devices.goto('/devices');
  const card = devices.locator('[data-testid=device-card][data-id=water-a]');
  await card.getByText('在线', { exact: true }).first().waitFor();
  const shown = await card.locator('.value .number').first().innerText();

  await estate.simulate('silence', 'water-a');
  await card.getByText(/离线 · 设备无应答/).waitFor();
  await card.locator('.value.doubted').first().waitFor();
  assert.notEqual(await card.locator('.value .number').first().innerText(), shown, 'the last value does not stand as if it were good');
  await overview.bringToFront();
  await tile.and(overview.locator('.doubted')).waitFor();
  assert.match(await tile.innerText(), /无应答|无读数/);
  await devices.bringToFront();
  await card.scrollIntoViewIfNeeded();
  await devices.getByText('只看离线').click();
  await until(async () => (await devices.getByTestId('device-card').count()) === 1, 'the only one that is offline');

  await estate.simulate('restore', 'water-a');
  await devices.goto('/devices');
  await card.getByText('在线', { exact: true }).first().waitFor();
  await overview.bringToFront();
  await tile.and(overview.locator(':not(.doubted)')).waitFor();
  assert.match(await tile.innerText(), /\d/);
});

test('the gateway goes and comes back: the open page says so and recovers by itself', { timeout: 600_000 }, async () => {
  const page = await signIn(browser, estate, 'wang', desktop, '/');
  await page.locator('[data-testid=state-banner][data-state=alarm]').waitFor();
  await page.evaluate(() => { window.neverReloaded = true; });
  await estate.halt();
  await page.getByTestId('live-banner').waitFor();
  await page.locator('[data-testid=state-banner][data-state=unknown]').waitFor();
  assert.match(await page.title(), /情况不明/);
  await estate.resume();
  await page.getByTestId('live-banner').waitFor({ state: 'detached' });
  // Its pump is whole again: a new simulation, on the same ledger.
  await page.locator('[data-testid=state-banner]:not([data-state=unknown])').waitFor();
  await page.getByTestId('tile-tank/level').and(page.locator(':not(.doubted)')).waitFor();
  assert.equal(await page.evaluate(() => window.neverReloaded), true);
});

/** Runs in the page: are the names of the tags kept for when there is no network? */
function knowsItsTags() {
  return new Promise((resolve) => {
    const open = indexedDB.open('gengfu');
    open.onsuccess = () => {
      const keys = open.result.transaction('memos').objectStore('memos').getAllKeys();
      keys.onsuccess = () => resolve(keys.result.filter((k) => String(k).startsWith('tag ')).length >= 5);
      open.result.close();
    };
  });
}

test('a tap without a network waits on the phone and arrives with its own time', { timeout: 600_000 }, async () => {
  const guard = await signIn(browser, estate, 'sun', phone, `/t/${tokens.gate}`);
  await guard.locator('[data-testid=tap-done][data-state=sent]').waitFor();
  await guard.goto('/walk');
  await guard.evaluate(() => navigator.serviceWorker.ready);
  await guard.waitForFunction(knowsItsTags);
  await guard.context().setOffline(true);
  await guard.goto(`/t/${tokens.garage}`);
  await guard.locator('[data-testid=tap-done][data-state=waiting]').waitFor();
  const tapped = Date.now();
  assert.match(await guard.getByTestId('tap-done').innerText(), /车库/, 'it knows the tag without a network');
  await guard.goto('/walk');
  await guard.locator('[data-testid=queue-item][data-state=waiting]').waitFor();
  await guard.getByTestId('live-banner').waitFor();
  await until(() => Date.now() > tapped + 3_000, 'the network to be away for long enough to tell');
  const back = Date.now();
  await guard.context().setOffline(false);
  await guard.locator('[data-testid=queue-item][data-state=waiting]').waitFor({ state: 'detached' });
  const desk = await signIn(browser, estate, 'li', desktop, '/patrol');
  await until(async () => (await api(desk, '/api/taps')).taps.some((t) => t.checkpoint === 'garage'), 'the tap');
  const { taps } = await api(desk, '/api/taps');
  const mine = taps.filter((t) => t.checkpoint === 'garage' && t.person === 'sun');
  assert.equal(mine.length, 1, 'once');
  assert.ok(Math.abs(Date.parse(mine[0].tapped_at) - tapped) < 2_500, 'the time of the tap');
  assert.ok(Date.parse(mine[0].received_at) >= back - 500, 'and the time of its arrival');
  assert.deepEqual(guard.errors, []);
});
