// A manager overrides a rule: its mistakes are shown, it is tried on the past beside the
// one in force, saved with a reason and taken back. Others read and try, and the page of
// figures shows what happened.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { examine } from '../test/examine.mjs';
import { desktop, phone, shoot, signIn, startBrowser, startEstate, until } from './estate.mjs';

const small = { ...phone, viewport: { width: 360, height: 740 } };

let estate;
let browser;
before(async () => {
  [estate, browser] = await Promise.all([startEstate(), startBrowser()]);
  await estate.simulate('break-pump', '1');
});
after(async () => {
  await browser?.close();
  await estate?.stop();
});

const api = (page, path) => page.evaluate(async (p) => (await fetch(p)).json(), path);
const checked = (page, state) => page.locator(`[data-testid=rule-check][data-state=${state}]`).waitFor();

/** The rule that the story is about: of a file, judged on a device that has a history, with a limit to move. */
async function pressureRule(page) {
  const { rules } = await api(page, '/api/rules');
  const rule = rules.find((r) => r.origin === 'file' && r.devices?.some((d) => d.startsWith('pump')) && /outlet_pressure [<>]/.test(r.condition));
  assert.ok(rule, 'no rule compares a pressure');
  return rule;
}

async function backtest(page) {
  await page.getByTestId('backtest-period').selectOption('1d');
  await page.getByTestId('backtest-run').click();
  await page.getByTestId('backtest-result').waitFor();
  return async (row, side) => Number((await page.getByTestId(`count-${row}-${side}`).innerText()).replaceAll(/\D/g, ''));
}

test('a manager overrides a rule, tries it first, and takes it back', { timeout: 600_000 }, async () => {
  const page = await signIn(browser, estate, 'wang', desktop, '/rules');
  const rule = await pressureRule(page);
  await page.getByTestId('rule-search').fill(rule.id);
  await page.locator(`[data-testid=rule-row][data-id="${rule.id}"]`).click();
  await page.getByTestId('rule-source').waitFor();
  const present = await backtest(page);
  const before = await present('alarms', 'present');
  assert.deepEqual(await examine(page, { touch: false }), []);
  await shoot(page, 'rule-desktop');

  await page.getByTestId('rule-edit').click();
  await checked(page, 'good');
  const text = await page.getByTestId('rule-text').inputValue();
  assert.equal(await page.getByTestId('rule-save').isDisabled(), true, 'a reason is needed');
  await page.getByTestId('rule-text').fill(text.replace(/^(\s*when:.*?)outlet_pressure/m, '$1outlet_presure'));
  await checked(page, 'bad');
  await page.getByTestId('rule-problem').first().click();
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'rule-text');
  assert.match(await page.evaluate(() => { const a = document.activeElement; return a.value.slice(a.selectionStart, a.selectionEnd); }), /outlet_presure/);
  assert.equal(await page.getByTestId('backtest-run').isDisabled(), true);
  await page.getByTestId('rule-reason').fill('试一试');
  assert.equal(await page.getByTestId('rule-save').isDisabled(), true, 'what is wrong cannot be saved');

  // A rule that is true whenever the pressure is known.
  const always = text.replace(/^(\s*)when:.*$/m, '$1when: outlet_pressure >= 0 bar').replace(/^\s*(clear|on_delay|off_delay|deadband):.*\n/gm, '');
  assert.notEqual(always, text);
  await page.getByTestId('rule-text').fill(always);
  await checked(page, 'good');
  const both = await backtest(page);
  const edited = await both('alarms', 'edited') + await both('standing', 'edited');
  assert.equal(await both('alarms', 'present'), before, 'the rule in force does as before');
  assert.ok(edited > 0, 'the edited one is loud');
  await page.locator('.u-over').waitFor();
  if (await both('alarms', 'edited') === 0) assert.match(await page.getByTestId('backtest-none').innerText(), /[1-9]/, 'what stood all the time is not quiet');
  assert.deepEqual(await examine(page, { touch: false }), []);
  await shoot(page, 'rule-tried-desktop');

  await page.getByTestId('rule-text').fill(text.replace(/^(\s*)priority:.*$/m, '$1priority: P4'));
  await checked(page, 'good');
  await page.getByTestId('rule-reason').press('Enter');
  await page.getByTestId('rule-version').waitFor();
  assert.equal(await page.getByTestId('rule-version').count(), 1);
  assert.match(await page.getByTestId('rule-version').innerText(), /王经理[^]*试一试/);
  const { rule: after, of_file: file } = await api(page, `/api/rules/${rule.id}`);
  assert.deepEqual([after.origin, after.priority, after.version], ['override', 'P4', 1]);
  assert.equal(file, text, 'what the file says is still there to compare');
  await page.locator('[data-testid=rule-version] summary').click();
  assert.match(await page.locator('.diff .added').innerText(), /P4/);
  assert.deepEqual(await examine(page, { touch: false }), []);
  await shoot(page, 'rule-versions-desktop');

  await page.getByTestId('rule-take-back').click();
  await page.getByTestId('note-input').fill('试完了');
  await page.getByTestId('note-submit').click();
  await until(async () => await page.getByTestId('rule-version').count() === 2, 'the second version');
  const last = (await api(page, `/api/rules/${rule.id}`)).rule;
  assert.deepEqual([last.origin, last.priority], ['file', rule.priority]);
  assert.deepEqual(page.errors, []);
});

test('an own rule is made, and a technician reads and tries it on a phone', { timeout: 600_000 }, async () => {
  const page = await signIn(browser, estate, 'wang', desktop, '/rules', 'en');
  await page.getByTestId('rule-new').click();
  await checked(page, 'good');
  const text = (await page.getByTestId('rule-text').inputValue()).replace('new-rule', 'pump-presses');
  await page.getByTestId('rule-text').fill(text);
  await checked(page, 'good');
  await page.getByTestId('rule-reason').fill('asked for by the owners');
  await page.getByTestId('rule-save').click();
  await page.waitForURL((url) => url.pathname === '/rules/pump-presses');
  await page.getByTestId('rule-version').waitFor();
  assert.deepEqual(page.errors, []);

  const reader = await signIn(browser, estate, 'zhang', small, '/rules/pump-presses');
  await reader.getByTestId('rule-source').waitFor();
  assert.equal(await reader.getByTestId('rule-edit').count(), 0);
  await backtest(reader);
  assert.deepEqual(await examine(reader, { touch: true }), []);
  await shoot(reader, 'rule-phone');
  await reader.goto('/rules?new');
  await reader.getByTestId('rule-row').first().waitFor();
  assert.equal(await reader.getByTestId('rule-text').count(), 0);
  assert.deepEqual(await examine(reader, { touch: true }), []);
  assert.deepEqual(reader.errors, []);
});

test('a rule whose device has gone is said to be left out, and is mended or removed', { timeout: 600_000 }, async () => {
  const demo = await readFile(new URL('../../../configs/demo.yaml', import.meta.url), 'utf8');
  const tank = /^  - \{id: tank,.*\n/m.exec(demo)[0];
  const other = await startEstate({ config: demo.replace(tank, tank + tank.replace('id: tank', 'id: tank-2').replace('address: 21', 'address: 29')) });
  try {
    const source = 'id: both-full\nname: {zh: 两箱都满, en: both full}\npriority: P4\nfor: {devices: [tank]}\nwhen: level > 1 m and value("tank-2/level") > 1 m\n';
    let page = await signIn(browser, other, 'wang', small, '/rules');
    await page.goto('/rules?new');
    await page.getByTestId('rule-text').fill(source);
    await checked(page, 'good');
    await page.getByTestId('rule-reason').fill('试一试');
    await page.getByTestId('rule-save').click();
    await page.getByTestId('rule-version').waitFor();
    await page.context().close();
    await other.halt();
    await writeFile(join(other.data, 'site.yaml'), demo);
    await other.resume();
    assert.match(other.log(), /IS LEFT OUT.*both-full/);

    page = await signIn(browser, other, 'wang', small, '/rules');
    const row = page.locator('[data-testid=rule-row][data-id="both-full"]');
    assert.match(await row.innerText(), /未生效/);
    await row.click();
    assert.match(await page.getByTestId('rule-left-out').innerText(), /本小区没有点位 "tank-2\/level"/);
    assert.deepEqual(await examine(page, { touch: true }), []);
    await shoot(page, 'rule-left-out-phone');
    await page.getByTestId('rule-edit').click();
    await checked(page, 'bad');
    assert.equal(await page.getByTestId('rule-text').inputValue(), source, 'what was written is there to be mended');
    await page.getByTestId('rule-text').fill(source.replace(/ and value.*/, ''));
    await checked(page, 'good');
    await page.getByTestId('rule-reason').fill('2号水箱拆了');
    await page.getByTestId('rule-save').click();
    await until(async () => await page.getByTestId('rule-version').count() === 2, 'the second version');
    assert.equal(await page.getByTestId('rule-left-out').count(), 0);
    assert.equal(await page.getByTestId('rule-take-back').count(), 1);
    assert.deepEqual(page.errors, []);
  } finally {
    await other.stop();
  }
});

test('the figures show what happened, to those who may see them', { timeout: 600_000 }, async () => {
  const page = await signIn(browser, estate, 'li', small, '/figures');
  await until(async () => (await api(page, '/api/alarm-figures')).told > 0, 'somebody to be told');
  await page.getByTestId('span-24h').click();
  await page.reload();
  await page.getByTestId('figure-source').first().waitFor();
  assert.match(await page.getByTestId('figures-sum').innerText(), /[1-9]/);
  assert.equal(await page.locator('[data-testid^=figure-][data-within]').count(), 8);
  await page.getByTestId('figures-short').waitFor();
  assert.deepEqual(await examine(page, { touch: true }), []);
  await shoot(page, 'figures-phone');
  const wide = await signIn(browser, estate, 'wang', desktop, '/figures', 'en');
  await wide.getByTestId('figure-source').first().waitFor();
  assert.deepEqual(await examine(wide, { touch: false }), []);
  await shoot(wide, 'figures-desktop');
  const technician = await signIn(browser, estate, 'zhang', small, '/figures');
  await technician.waitForURL((url) => url.pathname === '/forbidden');
  assert.deepEqual([...page.errors, ...wide.errors], []);
});
