// What people are told comes to the bell of all who answer alarms: counted until it is
// looked at, with the way to its alarm, and kept over a reload.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { examine } from '../test/examine.mjs';
import { desktop, phone, shoot, signIn, startBrowser, startEstate, until } from './estate.mjs';

const small = { ...phone, viewport: { width: 360, height: 740 } };

let estate;
let browser;
before(async () => {
  [estate, browser] = await Promise.all([startEstate(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await estate?.stop();
});

const api = (page, path) => page.evaluate(async (p) => (await fetch(p)).json(), path);
const bell = (page) => page.getByTestId('notice-bell');
const about = (page, key) => page.getByTestId('notice').filter({ has: page.locator(`a[href="/alarms/${key}"]`) });

test('who answers alarms is told, looks at it and goes to the alarm', { timeout: 600_000 }, async () => {
  const [desk, manager, viewer] = await Promise.all([
    signIn(browser, estate, 'li', desktop, '/'), signIn(browser, estate, 'wang', small, '/', 'en'), signIn(browser, estate, 'guest', small, '/'),
  ]);
  await bell(desk).waitFor();
  const before = (await api(desk, '/api/notices')).notices.length;
  await estate.simulate('break-pump', '1');
  let told;
  await until(async () => {
    told = (await api(desk, '/api/notices')).notices.flatMap((n) => n.alarms).find((a) => a.key === 'pump-fault/pump-1');
    return told;
  }, 'people to be told of the pump', 60_000);

  // It comes by itself, in the language of each, and counts until somebody looks.
  await bell(desk).getByText(/^通知，\d+ 条未看$/).waitFor({ state: 'attached' });
  await bell(manager).locator('.count').waitFor();
  assert.equal((await api(desk, '/api/notices')).notices.length > before, true);
  assert.equal(await bell(viewer).count(), 0, 'who cannot answer is not called');
  assert.deepEqual(await viewer.evaluate(async () => (await fetch('/api/notices')).status), 403);

  await bell(manager).click();
  await about(manager, told.alarm).waitFor();
  assert.equal(await bell(manager).locator('.count').count(), 0);
  assert.deepEqual(await examine(manager, { touch: true }), []);
  await shoot(manager, 'notices-phone');
  await manager.keyboard.press('Escape');
  await manager.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.equal(await bell(manager).evaluate((b) => b === document.activeElement), true, 'the focus is back where it was');

  // Without a mouse, from the bell to the alarm; what was seen stays seen.
  await bell(desk).focus();
  await desk.keyboard.press('Enter');
  const link = about(desk, told.alarm).getByRole('link').filter({ hasText: told.title.zh });
  await link.waitFor();
  assert.deepEqual(await examine(desk, { touch: false }), []);
  await shoot(desk, 'notices-desktop');
  await link.focus();
  await desk.keyboard.press('Enter');
  await desk.getByTestId('alarm-page').waitFor();
  await desk.getByRole('dialog').waitFor({ state: 'hidden' });
  await desk.reload();
  await bell(desk).waitFor();
  await until(async () => (await bell(desk).innerText()).includes('通知'), 'the bell to be there again');
  await bell(desk).click();
  await about(desk, told.alarm).waitFor();

  for (const page of [desk, manager, viewer]) assert.deepEqual(page.errors, []);
});
