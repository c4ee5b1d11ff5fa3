// The desk brings in the dump of a patrol wand: it sees first what would be taken,
// the import counts in the round, and the same dump again adds nothing. The rounds
// are short, so that one begins soon.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { examine } from '../test/examine.mjs';
import { desktop, phone, shoot, signIn, startBrowser, startEstate, until } from './estate.mjs';

let estate;
let browser;
before(async () => {
  const site = await readFile(new URL('../../../configs/demo.yaml', import.meta.url), 'utf8');
  const config = site.replace(/ {2}plans:\n[\s\S]*?\n\n/, `  plans:
    - {id: short, name: {zh: 短巡, en: Short patrol}, route: all, every: 1m, window: 55s, tolerance: 2m, grace: 5m}

`);
  assert.notEqual(config, site);
  [estate, browser] = await Promise.all([startEstate({ config }), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await estate?.stop();
});

const api = (page, path) => page.evaluate(async (p) => (await fetch(p)).json(), path);
const local = (ms) => new Date(ms).toLocaleString('sv-SE', { timeZone: 'Asia/Shanghai' });

/** A round that people walk now, and a moment of it that has passed. */
async function presentRound(page) {
  let round;
  let now;
  await until(async () => {
    const { rounds } = await api(page, '/api/rounds');
    now = Date.now(); // the answer may be late, and the window over
    return (round = rounds.find((r) => r.state === 'due' && Date.parse(r.start) < now - 3_000 && now < Date.parse(r.end)));
  }, 'a round to begin', 180_000);
  return { round, at: Math.floor(now / 1000) * 1000 - 2_000 };
}

/** A dump as the software of a wand exports it: GBK would be usual, UTF-8 is what a test can write. */
const dumpOf = (lines) => ({
  name: 'records.csv', mimeType: 'text/csv',
  buffer: Buffer.from(['巡更记录', '序号,巡检员,地点名称,巡检时间,巡检器编号', ...lines.map((l, i) => [i + 1, ...l].join(','))].join('\r\n')),
});

async function counts(page) {
  const of = async (id) => Number(await page.getByTestId(`dump-${id}`).innerText());
  return [await of('new'), await of('known'), await of('wrong')];
}

const taps = async (page) => (await api(page, '/api/taps')).taps.filter((t) => t.source === 'wand');

test('a dump is tried, taken once, and counts in its round', { timeout: 600_000 }, async () => {
  const desk = await signIn(browser, estate, 'li', desktop, '/patrol');
  const { round, at } = await presentRound(desk);
  await desk.getByTestId('to-wand').click();
  const dump = dumpOf([
    ['赵卫国', '泵房', local(at), 'A017'],
    ['赵卫国', '东门', local(at + 1_000), 'A017'],
    ['赵卫国', '东门', local(at + 1_000), 'A017'],
    ['赵卫国', '西门', local(at), 'A017'],
    ['无名氏', '东门', local(at), 'A017'],
  ]);
  const { people } = await api(desk, '/api/people');
  dump.buffer = Buffer.from(dump.buffer.toString().replaceAll('赵卫国', people.find((p) => p.role === 'guard').name));

  await desk.getByTestId('dump-file').setInputFiles(dump);
  await desk.locator('[data-testid=dump-result][data-dry=true]').waitFor();
  assert.deepEqual(await counts(desk), [2, 1, 2]);
  assert.deepEqual(await desk.getByTestId('dump-line').evaluateAll((rows) => rows.map((r) => r.dataset.state)), ['new', 'new', 'known', 'wrong', 'wrong']);
  const faults = await desk.getByTestId('dump-fault-row').allInnerTexts();
  assert.equal(faults.length, 2);
  assert.match(faults[0], /西门[^]*第 6 行[^]*tags/);
  assert.match(faults[1], /无名氏[^]*第 7 行[^]*请先添加此人/);
  assert.deepEqual(await examine(desk, { touch: false }), []);
  await shoot(desk, 'wand-dry-desktop');
  assert.deepEqual(await taps(desk), [], 'a dry run takes nothing');

  // Without the column of the guard nobody is unknown any more.
  await desk.getByTestId('dump-columns').click();
  await desk.getByTestId('column-guard').selectOption('0');
  await until(async () => (await desk.getByTestId('dump-wrong').count()) && (await counts(desk))[2] === 1, 'the column to be left out');
  await desk.getByTestId('dump-nobody').waitFor();
  await desk.getByTestId('column-guard').selectOption('2');
  await until(async () => (await desk.getByTestId('dump-wrong').count()) && (await counts(desk))[2] === 2, 'the column to be back');

  await desk.getByTestId('dump-import').press('Enter');
  await desk.getByTestId('dump-done').waitFor();
  assert.match(await desk.getByTestId('dump-done').innerText(), /已导入 2 条/);
  assert.deepEqual(await counts(desk), [2, 1, 2]);
  assert.equal(await desk.evaluate(() => document.activeElement?.dataset.testid), 'dump-result');
  await until(async () => (await taps(desk)).length === 2, 'the taps');

  await desk.getByTestId('dump-day').click();
  await desk.waitForURL((url) => url.pathname === '/patrol');
  await until(async () => {
    const { rounds } = await api(desk, '/api/rounds');
    const visit = rounds.find((r) => r.id === round.id).visits.find((v) => v.checkpoint === 'pump-room');
    return visit.tapped_at && Date.parse(visit.tapped_at) === at;
  }, 'the tap to count in its round');
  assert.deepEqual(desk.errors, []);

  const manager = await signIn(browser, estate, 'wang', phone, '/wand', 'en');
  assert.deepEqual(await examine(manager, { touch: true }), []);
  await manager.getByTestId('dump-file').setInputFiles(dump);
  await manager.getByTestId('dump-nothing').waitFor();
  assert.deepEqual(await counts(manager), [0, 3, 2]);
  assert.equal(await manager.getByTestId('dump-import').count(), 0, 'nothing is left to import');
  assert.deepEqual(await examine(manager, { touch: true }), []);
  await shoot(manager, 'wand-again-phone');
  assert.equal((await taps(manager)).length, 2);
  assert.deepEqual(manager.errors, []);
});

test('what is no dump is refused in the language of the page, and columns without headings are asked for', { timeout: 600_000 }, async () => {
  const desk = await signIn(browser, estate, 'li', desktop, '/wand', 'en');
  await desk.getByTestId('dump-file').setInputFiles({ name: 'records.xlsx', mimeType: 'application/zip', buffer: Buffer.from([0x50, 0x4b, 3, 4, 0, 0]) });
  await desk.getByTestId('dump-fault').getByText('save an Excel workbook as CSV').waitFor();

  const at = local(Date.now() - 60_000);
  await desk.getByTestId('dump-file').setInputFiles({ name: 'raw.txt', mimeType: 'text/plain', buffer: Buffer.from(`1\tgarage\t${at}\n2\tgarden\t${at}\n`) });
  await desk.getByTestId('dump-missing').waitFor();
  await desk.getByTestId('column-time').selectOption('3');
  await desk.getByTestId('column-checkpoint').selectOption('2');
  await desk.getByTestId('whole-wand').fill('B2');
  await desk.getByTestId('whole-guard').focus();
  await desk.locator('[data-testid=dump-result][data-dry=true]').waitFor();
  assert.deepEqual(await counts(desk), [2, 0, 0]);
  assert.deepEqual(await examine(desk, { touch: false }), []);
  assert.deepEqual(desk.errors, []);
});

test('a guard may not bring in dumps', { timeout: 600_000 }, async () => {
  const guard = await signIn(browser, estate, 'sun', phone, '/patrol');
  await guard.locator('h1').waitFor();
  assert.equal(await guard.getByTestId('to-wand').count(), 0);
  await guard.goto('/wand');
  await guard.waitForURL((url) => url.pathname === '/forbidden');
});
