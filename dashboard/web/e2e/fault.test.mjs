// A pump breaks: from the bit in its register to the order's last step.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { desktop, phone, shoot, signIn, startBrowser, startEstate, until } from './estate.mjs';

let estate;
let browser;
before(async () => {
  [estate, browser] = await Promise.all([startEstate(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await estate?.stop();
});

const pumpOne = /1号生活泵/;

test('a fault becomes an alarm and one order, and is worked off to the end', { timeout: 600_000 }, async () => {
  const alarms = await signIn(browser, estate, 'li', desktop, '/alarms');
  const orders = await alarms.context().newPage();
  await orders.goto('/orders');
  const alarmRow = alarms.getByTestId('alarm-row').filter({ hasText: pumpOne });
  const orderRow = orders.getByTestId('order-row').filter({ hasText: pumpOne });
  assert.equal(await alarmRow.count(), 0, 'the pump is well at first');
  assert.equal(await orderRow.count(), 0, 'and nobody works on it');
  await alarms.getByTestId('live-banner').waitFor({ state: 'detached', timeout: 10_000 }).catch(() => {});

  const broken = Date.now();
  await estate.simulate('break-pump', '1');
  await Promise.all([
    alarmRow.first().waitFor({ timeout: 3_000 - (Date.now() - broken) }),
    orderRow.first().waitFor({ timeout: 3_000 - (Date.now() - broken) }),
  ]);
  assert.ok(Date.now() - broken <= 3_000, 'within 3 s, without a reload');
  assert.equal(await alarmRow.count(), 1);
  assert.equal(await orderRow.count(), 1);
  await shoot(alarms, 'alarms-desktop');
  await shoot(orders, 'orders-desktop');

  // The desk assigns.
  await orderRow.click();
  await orders.getByTestId('assign-select').selectOption('zhang');
  await orders.getByTestId('order-action-assign').click();
  await orders.getByTestId('order-state').filter({ hasText: '已派' }).first().waitFor();

  // The technician finds it on the phone, accepts, arrives, photographs, completes.
  const tech = await signIn(browser, estate, 'zhang', phone, '/my');
  await shoot(tech, 'my-phone');
  await tech.getByTestId('order-row').filter({ hasText: pumpOne }).first().click();
  await tech.getByTestId('order-action-accept').click();
  await tech.getByTestId('order-state').filter({ hasText: '已接' }).first().waitFor();
  await tech.getByTestId('order-action-arrive').click();
  await tech.getByTestId('order-state').filter({ hasText: '到场' }).first().waitFor();
  await tech.getByRole('link', { name: /详情/ }).first().click();
  const picture = await tech.screenshot(); // a real picture, larger than what is kept
  await tech.getByTestId('photo-input').setInputFiles({ name: 'pump.png', mimeType: 'image/png', buffer: picture });
  const photo = tech.getByTestId('timeline-event').locator('img').first();
  await photo.waitFor();
  await photo.scrollIntoViewIfNeeded();
  await tech.waitForFunction((img) => img.complete && img.naturalWidth > 0, await photo.elementHandle());
  await shoot(tech, 'order-phone');
  await estate.simulate('repair-pump', '1');
  await tech.getByTestId('order-action-complete').click();
  await tech.getByTestId('note-input').locator('visible=true').fill('更换机械密封，试运行正常');
  await tech.getByTestId('note-submit').locator('visible=true').click();
  await tech.getByTestId('order-state').filter({ hasText: '完工' }).first().waitFor();

  // The desk's open page knew it all along; the manager verifies.
  await orders.getByTestId('order-state').filter({ hasText: '完工' }).first().waitFor();
  const manager = await signIn(browser, estate, 'wang', desktop, new URL(orders.url()).pathname);
  // While the fault is there nobody can say that it is mended.
  const path = `/api/orders/${new URL(manager.url()).pathname.split('/').pop()}`;
  await until(async () => {
    const { alarms: about } = await manager.evaluate(async (p) => (await fetch(p)).json(), path);
    return about.every((a) => !['unacknowledged', 'acknowledged'].includes(a.state));
  }, 'the alarm to see that the pump is mended');
  await manager.getByTestId('order-action-verify').click();
  await manager.getByTestId('order-state').filter({ hasText: '验收' }).first().waitFor();
  await shoot(manager, 'order-desktop');

  const id = new URL(manager.url()).pathname.split('/').pop();
  const detail = await manager.evaluate(async (path) => (await fetch(path)).json(), `/api/orders/${id}`);
  const steps = detail.events.map((e) => [e.action, e.actor]).filter(([action]) => action !== 'comment');
  assert.deepEqual(steps, [
    ['create', 'system'], ['assign', 'li'], ['accept', 'zhang'], ['arrive', 'zhang'], ['photo', 'zhang'],
    ['complete', 'zhang'], ['verify', 'wang'],
  ]);
  assert.equal(detail.order.count, 1);
  assert.ok(await manager.getByTestId('timeline-event').count() >= steps.length, 'the page shows every step');
  for (const page of [alarms, orders, tech, manager]) assert.deepEqual(page.errors ?? [], []);
});

test('an alarm is acknowledged in one tap, and returns by itself', { timeout: 600_000 }, async () => {
  const page = await signIn(browser, estate, 'li', desktop, '/alarms');
  await estate.simulate('break-pump', '2');
  const row = page.getByTestId('alarm-row').filter({ hasText: '2号生活泵' });
  await row.first().waitFor();
  await row.first().getByTestId('alarm-ack').click();
  await row.filter({ hasText: '已确认' }).first().waitFor();
  await estate.simulate('repair-pump', '2');
  await row.first().waitFor({ state: 'detached' });
});
