// How people keep alarms quiet and take them up again: shelved and told of afterwards,
// latched and reset, out of service for an order that could not be verified otherwise.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { examine } from '../test/examine.mjs';
import { desktop, phone, shoot, signIn, startBrowser, startEstate, until } from './estate.mjs';

const small = { ...phone, viewport: { width: 360, height: 740 } };

const latch = `rules:
  - id: seized
    name: {zh: 抱死, en: seized}
    advice: {zh: 盘车后再复位, en: "Turn the shaft by hand, then reset"}
    priority: P2
    for: {devices: [pump-3]}
    when: fault
    latch: true
`;

let estate;
let browser;
before(async () => {
  const site = await readFile(new URL('../../../configs/demo.yaml', import.meta.url), 'utf8');
  const config = site.replace(/^rules: \[(.*)\]$/m, 'rules: [$1, latch.yaml]');
  assert.notEqual(config, site, 'the demo names its rules in another way');
  [estate, browser] = await Promise.all([startEstate({ config, files: { 'latch.yaml': latch } }), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await estate?.stop();
});

const api = (page, path) => page.evaluate(async (p) => (await fetch(p)).json(), path);
const post = (page, path, body) => page.evaluate(async ([p, b]) => {
  const answer = await fetch(p, { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Gengfu': '1' }, body: JSON.stringify(b) });
  if (!answer.ok) throw new Error(`${p}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}, [path, body]);

/** Opens the page of the alarm of a key, once it stands. */
async function openAlarm(page, key) {
  let id;
  await until(async () => {
    id = (await api(page, '/api/alarms')).alarms.find((a) => a.key === key)?.id;
    return id;
  }, `an alarm of ${key}`);
  await page.goto(`/alarms/${id}`);
  await page.getByTestId('alarm-page').waitFor();
  return id;
}

const shown = (page, state) => page.locator(`[data-testid=alarm-page][data-shown=${state}]`).waitFor();
const history = (page) => page.getByTestId('alarm-event').evaluateAll((lines) => lines.map((l) => l.dataset.event).reverse());

test('a shelved alarm is quiet, is not forgotten, and people are told when the shelf ends', { timeout: 600_000 }, async () => {
  const desk = await signIn(browser, estate, 'li', desktop, '/alarms');
  const manager = await signIn(browser, estate, 'wang', small, '/');
  await estate.simulate('break-pump', '1');
  await openAlarm(desk, 'pump-fault/pump-1');
  await manager.locator('[data-testid=state-banner][data-state=alarm]').waitFor();
  await until(async () => (await api(desk, '/api/notices')).notices.length > 0, 'people to be told of the fault');
  await desk.getByTestId('alarm-ack').click();
  await shown(desk, 'acknowledged');
  const told = (await api(desk, '/api/notices')).notices.length;

  await desk.getByTestId('alarm-shelve').click();
  assert.equal(await desk.getByTestId(`shelf-${8 * 3600}`).count(), 0, 'a P2 may be shelved for 4 h');
  await desk.getByTestId(`shelf-${4 * 3600}`).check({ force: true });
  await desk.getByTestId('hold-submit').click();
  assert.equal(await desk.getByTestId('hold-form').isVisible(), true, 'not without a reason');
  await desk.getByRole('button', { name: '等备件' }).click();
  assert.deepEqual(await examine(desk, { touch: false }), []);
  await desk.getByTestId('hold-submit').click();
  await shown(desk, 'shelved');
  assert.match(await desk.getByTestId('hold-row').innerText(), /等备件[\s\S]*李/);

  // Nobody is called for it, and everybody sees that something is kept quiet.
  await manager.locator('[data-testid=state-banner][data-state=attention]').waitFor();
  await manager.getByTestId('held-strip').click();
  const row = manager.locator('[data-testid=hold-row][data-key="pump-fault/pump-1"]');
  await row.waitFor();
  assert.deepEqual(await examine(manager, { touch: true }), []);
  await shoot(manager, 'held-phone');
  assert.equal((await api(desk, '/api/notices')).notices.length, told);

  await row.getByTestId('hold-release').click();
  await row.waitFor({ state: 'detached' });
  await manager.locator('.empty').waitFor();
  await shown(desk, 'unacknowledged');
  await until(async () => (await api(desk, '/api/notices')).notices.length > told, 'people to be told again');
  assert.deepEqual(await history(desk), ['raise', 'acknowledge', 'shelve', 'unshelve']);
  await shoot(desk, 'alarm-desktop');
  await estate.simulate('repair-pump', '1');
  for (const page of [desk, manager]) assert.deepEqual(page.errors, []);
});

test('a latched alarm stays until somebody has looked and resets it', { timeout: 600_000 }, async () => {
  const page = await signIn(browser, estate, 'zhang', small, '/alarms');
  await estate.simulate('break-pump', '3');
  await openAlarm(page, 'seized/pump-3');
  assert.equal(await page.getByTestId('alarm-reset').count(), 0, 'its condition is there');
  assert.equal(await page.getByTestId('alarm-shelve').count(), 0, 'a technician cannot shelve');
  await estate.simulate('repair-pump', '3');
  await shown(page, 'latched_unacknowledged');
  await page.getByTestId('alarm-ack').click();
  await shown(page, 'latched_acknowledged');
  await page.goto('/alarms?show=attention');
  await page.getByTestId('alarm-row').filter({ hasText: '待复位' }).getByRole('link', { name: '抱死' }).click();
  await shown(page, 'latched_acknowledged');
  assert.deepEqual(await examine(page, { touch: true }), []);
  await page.getByTestId('alarm-reset').click();
  await page.getByTestId('note-input').fill('盘车正常');
  await shoot(page, 'alarm-reset-phone');
  await page.getByTestId('note-submit').click();
  await shown(page, 'normal');
  assert.deepEqual(await history(page), ['raise', 'clear', 'acknowledge', 'reset']);
  assert.match(await page.getByTestId('alarm-event').first().innerText(), /张[\s\S]*盘车正常/);
  assert.deepEqual(page.errors, []);
});

test('an order is not verified while its alarm stands, unless it is out of service; then it comes back with the order', { timeout: 600_000 }, async () => {
  const manager = await signIn(browser, estate, 'wang', desktop, '/alarms');
  await estate.simulate('break-pump', '2');
  const alarm = await openAlarm(manager, 'pump-fault/pump-2');
  let order;
  await until(async () => { order = (await api(manager, `/api/alarms/${alarm}`)).alarm.order_id; return order; }, 'its order');
  await post(manager, `/api/orders/${order}/actions`, { action: 'assign', target: 'zhang' });
  const tech = await signIn(browser, estate, 'zhang', small, '/my');
  for (const action of ['accept', 'arrive']) await post(tech, `/api/orders/${order}/actions`, { action });
  await post(tech, `/api/orders/${order}/actions`, { action: 'complete', note: '等备件，先停用' });

  await manager.goto(`/orders/${order}`);
  await manager.getByTestId('order-refused').waitFor();
  assert.deepEqual(await examine(manager, { touch: false }), []);
  await manager.getByTestId('order-action-verify').click();
  await manager.getByText('工单不能验收或关闭').first().waitFor();
  await shoot(manager, 'order-refused-desktop');

  // Whoever works on the order may take it out of service, and nothing else.
  await tech.goto(`/alarms/${alarm}`);
  await tech.getByTestId('alarm-take-out').click();
  assert.match(await tech.getByTestId('hold-order').innerText(), /^\d{8}-\d+/);
  assert.equal(await tech.getByTestId('hold-order').locator('option').count(), 1);
  assert.deepEqual(await examine(tech, { touch: true }), []);
  await tech.getByTestId('hold-submit').click();
  await shown(tech, 'out_of_service');

  await manager.getByTestId('order-refused').waitFor({ state: 'detached' });
  await manager.getByTestId('order-action-verify').click();
  await manager.getByTestId('order-state').filter({ hasText: '验收' }).first().waitFor();
  await manager.getByTestId('order-action-close').click();
  await manager.getByTestId('order-state').filter({ hasText: '关闭' }).first().waitFor();
  await shown(tech, 'unacknowledged');
  assert.deepEqual(await history(tech), ['raise', 'take_out', 'put_back']);
  await estate.simulate('repair-pump', '2');
  for (const page of [manager, tech]) assert.deepEqual(page.errors, []);
});

test('a device is taken out of service before somebody works on it, and calls nobody', { timeout: 600_000 }, async () => {
  const desk = await signIn(browser, estate, 'li', small, '/devices/pump-3');
  const told = async () => (await api(desk, '/api/notices')).notices.flatMap((n) => n.alarms).filter((a) => a.key.endsWith('/pump-3')).length;
  const before = await told();
  await desk.getByTestId('device-take-out').click();
  await desk.getByTestId('hold-order').selectOption(''); // the order of the latched fault is about something else
  await desk.getByTestId(`out-${4 * 3600}`).check({ force: true });
  assert.match(await desk.getByTestId('out-end').innerText(), /\d\d:\d\d/);
  await desk.getByRole('button', { name: '检修' }).click();
  assert.deepEqual(await examine(desk, { touch: true }), []);
  await shoot(desk, 'device-out-phone');
  await desk.getByTestId('hold-submit').click();
  await desk.getByTestId('device-held').waitFor();
  assert.equal(await desk.getByTestId('device-take-out').count(), 0, 'all of it is out');
  await estate.simulate('break-pump', '3');
  await openAlarm(desk, 'pump-fault/pump-3');
  await shown(desk, 'out_of_service');
  assert.equal((await api(desk, '/api/alarms')).alarms.filter((a) => a.device === 'pump-3' && a.shown !== 'out_of_service').length, 0);
  const grouped = Date.now() + 16_000; // people are told together what comes within 15 s
  await until(() => Date.now() > grouped, 'the time in which they would be told');
  assert.equal(await told(), before);
  await desk.goto('/alarms?show=held&device=pump-3');
  assert.match(await desk.getByTestId('hold-row').first().innerText(), /检修/);
  await estate.simulate('repair-pump', '3');
  assert.deepEqual(desk.errors, []);
});
