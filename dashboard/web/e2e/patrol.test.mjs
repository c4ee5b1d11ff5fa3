// A guard walks: what is not reached in time becomes an order, what is late but
// within tolerance does not. The rounds are short, so that the test is.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { desktop, phone, shoot, signIn, startBrowser, startEstate, until } from './estate.mjs';

const checkpoints = ['gate', 'pump-room', 'electric-room', 'garage', 'garden'];
// A busy machine takes half a minute for four taps.
const window = 70;
const tolerance = 30;

let estate;
let browser;
let tokens;
before(async () => {
  const site = await readFile(new URL('../../../configs/demo.yaml', import.meta.url), 'utf8');
  tokens = Object.fromEntries([...site.matchAll(/- \{id: ([a-z-]+),.*token: ([A-Za-z0-9-]+)\}/g)].map((m) => [m[1], m[2]]));
  const config = site.replace(/ {2}plans:\n[\s\S]*?\n\n/, `  plans:
    - {id: short, name: {zh: 短巡, en: Short patrol}, route: all, every: 2m, window: ${window}s, tolerance: ${tolerance}s, grace: 5m}

`);
  assert.notEqual(config, site);
  [estate, browser] = await Promise.all([startEstate({ config }), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await estate?.stop();
});

/** Waits for the beginning of a round and returns it. */
async function nextRound(page) {
  let round;
  const already = new Set((await rounds(page)).filter((r) => r.state !== 'scheduled').map((r) => r.id));
  await until(async () => {
    round = (await rounds(page)).find((r) => ['due', 'in_progress'].includes(r.state) && !already.has(r.id));
    return round;
  }, 'a round to begin', 300_000);
  return round;
}

const rounds = (page) => page.evaluate(async () => (await (await fetch('/api/rounds')).json()).rounds);
const orders = (page) => page.evaluate(async () => (await (await fetch('/api/orders?show=all')).json()).orders);

// Taps at one checkpoint within a minute are one stop of the guard, and one stop does
// not serve two rounds. These rounds begin two minutes apart.
const oneStop = 60_000;
const tappedAt = {};

async function tap(page, checkpoint) {
  await until(() => Date.now() > (tappedAt[checkpoint] ?? 0) + oneStop, 'a new stop');
  await page.goto(`/t/${tokens[checkpoint]}`);
  await page.getByTestId('tap-done').waitFor();
  tappedAt[checkpoint] = Date.now();
}

async function visits(page, round) {
  const now = (await rounds(page)).find((r) => r.id === round.id);
  return Object.fromEntries(now.visits.map((v) => [v.checkpoint, v.verdict]));
}

test('four of five taps: the fifth is missed and becomes an order', { timeout: 600_000 }, async () => {
  const desk = await signIn(browser, estate, 'li', desktop, '/patrol');
  const guard = await signIn(browser, estate, 'sun', phone, '/walk');
  const round = await nextRound(desk);
  for (const c of checkpoints.slice(0, 4)) await tap(guard, c);
  await shoot(guard, 'tap-phone');
  await guard.goto('/walk');
  await shoot(guard, 'walk-phone');
  const due = new Date(round.end).getTime() + tolerance * 1000;
  await until(async () => (await visits(desk, round)).garden === 'missed', 'the verdict', due - Date.now() + 120_000);
  assert.ok(Date.now() >= due, 'not before the tolerance is over');
  assert.deepEqual(await visits(desk, round), {
    gate: 'on_time', 'pump-room': 'on_time', 'electric-room': 'on_time', garage: 'on_time', garden: 'missed',
  });
  // Its order is made when people are told, together with what else comes within 15 s.
  let made;
  await until(async () => {
    made = (await orders(desk)).filter((o) => o.source === 'patrol' && new Date(o.created_at) >= new Date(round.end));
    return made.length > 0;
  }, 'an order', due - Date.now() + 120_000);
  assert.equal(made.length, 1, 'one order');
  assert.equal(made[0].count, 1);
  assert.ok(new Date(made[0].created_at) - due <= 60_000, 'within 60 s');
  await shoot(desk, 'patrol-desktop');
  assert.deepEqual([...desk.errors, ...guard.errors], []);
});

test('a late tap inside the tolerance is late, and no order', { timeout: 600_000 }, async () => {
  const desk = await signIn(browser, estate, 'li', desktop, '/orders');
  const guard = await signIn(browser, estate, 'sun', phone, '/walk');
  const round = await nextRound(desk);
  const before = (await orders(desk)).filter((o) => o.source === 'patrol').length;
  for (const c of checkpoints.slice(0, 4)) await tap(guard, c);
  const end = new Date(round.end).getTime();
  await until(() => Date.now() > end + 1_000, 'the window to end');
  await tap(guard, 'garden');
  await until(async () => !Object.values(await visits(desk, round)).includes('pending'), 'the verdicts');
  assert.deepEqual(await visits(desk, round), {
    gate: 'on_time', 'pump-room': 'on_time', 'electric-room': 'on_time', garage: 'on_time', garden: 'late',
  });
  const over = end + tolerance * 1000;
  await until(() => Date.now() > over + 3_000, 'the tolerance to end');
  assert.equal((await rounds(desk)).find((r) => r.id === round.id).state, 'exceptions');
  assert.equal((await orders(desk)).filter((o) => o.source === 'patrol').length, before, 'no order for this round');
});
