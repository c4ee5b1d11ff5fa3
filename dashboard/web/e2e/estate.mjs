// A running demo estate and real browsers on it, for the tests beside this file.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const run = promisify(execFile);
const gengfu = process.env.GENGFU;
const browserPath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const shots = new URL('./shots/', import.meta.url).pathname;

export const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
export const desktop = { viewport: { width: 1440, height: 900 } };

/** Starts `gengfu demo` on a free port in a folder of its own; files stand beside its configuration. */
export async function startEstate({ config, files = {}, args = [] } = {}) {
  if (!gengfu) throw new Error('GENGFU must name the binary');
  const data = await mkdtemp(join(tmpdir(), 'gengfu-e2e-'));
  const flags = ['demo', '--data', data, '--no-guard', ...args];
  for (const [name, text] of Object.entries(files)) await writeFile(join(data, name), text);
  if (config) {
    const file = join(data, 'site.yaml');
    await writeFile(file, config);
    flags.push('--config', file);
  }
  let running = await launch([...flags, '--listen', '127.0.0.1:0']);
  const { url } = running;
  return {
    url,
    data,
    log: () => running.log(),
    simulate: (...action) => run(gengfu, ['simulate', ...action, '--data', data]),
    /** Ends the gateway and leaves its folder. */
    halt: () => running.end(),
    /** Starts it again on its folder, at the same address. */
    async resume() {
      running = await launch([...flags, '--listen', new URL(url).host]);
    },
    async stop() {
      await running.end();
      await rm(data, { recursive: true, force: true });
    },
  };
}

async function launch(flags) {
  const child = spawn(gengfu, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  let log = '';
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no address within 180 s:\n${log}`)), 180_000);
    const hear = (chunk) => {
      log += chunk;
      const found = /http:\/\/[\d.]+:\d+/.exec(log);
      if (found) {
        clearTimeout(timer);
        resolve(found[0]);
      }
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('exit', (code) => reject(new Error(`gengfu ended with ${code}:\n${log}`)));
  });
  await until(async () => (await fetch(`${url}/readyz`)).ok, 'the estate to be ready', 180_000);
  return {
    url,
    log: () => log,
    async end() {
      child.kill('SIGTERM');
      const code = await gone;
      if (code !== 0) throw new Error(`gengfu ended with ${code}:\n${log}`);
    },
  };
}

/** Waits until the condition holds; it is looked at anew every 50 ms. */
export async function until(condition, what, within = 120_000) {
  const end = Date.now() + within;
  for (;;) {
    try {
      if (await condition()) return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    if (Date.now() > end) throw new Error(`waited ${within} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function startBrowser() {
  return chromium.launch({
    executablePath: browserPath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
}

/** Opens a page of its own browser profile; what goes wrong on it is gathered in page.errors. */
export async function openPage(browser, estate, device) {
  const context = await browser.newContext({ ...device, locale: 'zh-CN', timezoneId: 'Asia/Shanghai', baseURL: estate.url });
  context.setDefaultTimeout(120_000); // other programs may have the machine
  const page = await context.newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error));
  page.on('console', (message) => {
    // The browser writes every refused or failed request here; the page speaks of those itself.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) page.errors.push(new Error(message.text()));
  });
  return page;
}

/** Opens a page, signs the person in by one tap, and waits until the page stands: every one has a heading. */
export async function signIn(browser, estate, login, device, path = '/', lang = 'zh') {
  const page = await openPage(browser, estate, device);
  await page.goto(`/sign-in?lang=${lang}`);
  await page.getByTestId(`demo-login-${login}`).click();
  await page.waitForURL((url) => url.pathname !== '/sign-in');
  if (path !== new URL(page.url()).pathname) await page.goto(path);
  await page.locator('h1').first().waitFor();
  return page;
}

export async function shoot(page, name) {
  await page.screenshot({ path: join(shots, `${name}.png`) });
}
