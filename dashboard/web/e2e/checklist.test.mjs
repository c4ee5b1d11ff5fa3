// The checklist of an order: ticked at the pump, without a network too, and asked for at the end.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { shoot, signIn, startBrowser, startEstate, until } from './estate.mjs';

const small = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const desk = { viewport: { width: 1280, height: 800 } };

let estate;
let browser;
before(async () => {
  [estate, browser] = await Promise.all([startEstate(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await estate?.stop();
});

const act = (page, id, body) => page.evaluate(async ([path, act]) => {
  const answer = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Gengfu': '1' }, body: JSON.stringify(act) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}, [`/api/orders/${id}/actions`, body]);

test('a technician ticks what is done, also where there is no network', { timeout: 600_000 }, async () => {
  const office = await signIn(browser, estate, 'li', desk, '/orders');
  await estate.simulate('break-pump', '1');
  const row = office.getByTestId('order-row').filter({ hasText: /1号生活泵/ }).first();
  await row.waitFor();
  await row.click();
  await office.getByTestId('checklist').waitFor();
  const id = new URL(office.url()).pathname.split('/').pop();
  const steps = await office.locator('.checklist li').count();
  assert.ok(steps >= 3, `${steps} steps`);
  assert.equal(await office.getByTestId('step-1').isDisabled(), true, 'only who works on it ticks');
  await shoot(office, 'checklist-desktop');
  await act(office, id, { action: 'assign', target: 'zhang' });

  const tech = await signIn(browser, estate, 'zhang', small, '/my');
  await tech.goto(`/orders/${id}`);
  await act(tech, id, { action: 'accept' });
  await act(tech, id, { action: 'arrive' });
  await until(() => tech.getByTestId('step-1').isEnabled(), 'the checklist to open');
  const box = await tech.locator('.checklist label').first().boundingBox();
  assert.ok(box.height >= 44, `a finger finds ${box.height} px`);
  await tech.getByTestId('step-1').focus();
  await tech.keyboard.press('Space');
  await tech.getByTestId('checklist').getByText('张', { exact: false }).first().waitFor();
  await office.getByTestId('checklist').getByText(`1/${steps}`).waitFor();

  await tech.context().setOffline(true);
  await tech.getByTestId('step-2').click();
  await tech.getByTestId('checklist').getByText('待上传').waitFor();
  await tech.getByTestId('checklist').scrollIntoViewIfNeeded();
  await shoot(tech, 'checklist-phone');
  await tech.context().setOffline(false);
  await office.getByTestId('checklist').getByText(`2/${steps}`).waitFor();
  await tech.getByTestId('checklist').getByText('待上传').waitFor({ state: 'detached' });

  await tech.getByTestId('order-action-complete').click();
  const undone = tech.getByTestId('undone').locator('visible=true');
  assert.equal(await undone.locator('li').count(), steps - 2, 'it says which steps are left');
  await shoot(tech, 'checklist-complete-phone');
  await tech.getByTestId('note-input').locator('visible=true').fill('轴承已更换');
  await tech.getByTestId('note-submit').locator('visible=true').click();
  await tech.getByTestId('order-state').filter({ hasText: '完工' }).first().waitFor();
  const detail = await office.evaluate(async (path) => (await fetch(path)).json(), `/api/orders/${id}`);
  assert.deepEqual(detail.events.filter((e) => e.action === 'tick').map((e) => [e.actor, e.step]), [['zhang', 1], ['zhang', 2]]);
  assert.match(detail.events.find((e) => e.action === 'complete').note, /^轴承已更换\n未做的步骤/);
  await office.getByTestId('timeline-event').filter({ hasText: '未做的步骤' }).waitFor();
  await shoot(office, 'checklist-done-desktop');

  for (const page of [office, tech]) assert.deepEqual(page.errors ?? [], []);
});
