/** `resnext train --open`: the page of a run while it trains, as Chromium shows it, and who may see it. */
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, it, test } from 'vitest';
import { opener } from '../src/live/browser.ts';
import { LiveServer } from '../src/live/server.ts';
import { chromiumPath, noChromium } from './chromium.ts';
import { start } from './command.ts';

if (noChromium) console.log(noChromium);

const examples = fileURLToPath(new URL('../examples/images/val', import.meta.url));
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-live-'));
  for (const part of ['train', 'val']) {
    for (const name of ['frog', 'horse'])
      cpSync(join(examples, name), join(dir, 'images', part, name), { recursive: true });
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

/** The address in the output of a run, as soon as it is there. */
function addressIn(run: ReturnType<typeof start>): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = '';
    run.child.stdout!.on('data', (text: string) => {
      printed += text;
      const url = /http:\/\/127\.0\.0\.1:\d+\//.exec(printed)?.[0];
      if (url !== undefined) resolve(url);
    });
    void run.ended.then(({ stderr }) => reject(new Error(`The run ended: ${stderr}`)));
  });
}

test.skipIf(noChromium)(
  'the page changes after an epoch, gets the evaluation at the end, and stays',
  async () => {
    const browser = await chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox'] });
    const program = join(dir, 'xdg-open');
    writeFileSync(program, `#!/bin/sh\necho "$1" > "${dir}/opened"\n`);
    chmodSync(program, 0o755);
    const before = { PATH: process.env.PATH, DISPLAY: process.env.DISPLAY };
    process.env.PATH = `${dir}:${before.PATH}`;
    process.env.DISPLAY = ':99';
    const network = ['--variant', 'resnext11_8x16d_w16', '--size', '32', '--batch', '10', '--epochs', '8'];
    const run = start('train', join(dir, 'images'), ...network, '--threads', '1', '--out', join(dir, 'run'), '--open');
    Object.assign(process.env, before);
    if (before.DISPLAY === undefined) delete process.env.DISPLAY;
    try {
      const page = await browser.newPage();
      const problems: string[] = [];
      const requests: string[] = [];
      page.on('console', (message) => problems.push(message.text()));
      page.on('pageerror', ({ message }) => problems.push(message));
      page.on('request', (sent) => requests.push(new URL(sent.url()).pathname));
      const url = await addressIn(run);
      await page.goto(url);
      await page.waitForFunction(() => document.querySelector('#progress')?.textContent?.includes('top-1'));
      await page.waitForFunction(() => document.querySelectorAll('.charts svg').length > 0);
      await page
        .locator('details')
        .first()
        .evaluate((it: HTMLDetailsElement) => {
          it.open = true;
        });
      const rows = await page.locator('details tbody tr').count();
      expect(rows).toBeLessThan(8);
      await page.waitForFunction((count) => document.querySelectorAll('details tbody tr').length > count, rows);
      expect(
        await page
          .locator('details')
          .first()
          .evaluate((it: HTMLDetailsElement) => it.open),
      ).toBe(true);
      expect((await run.ended).code).toBe(0);
      await page.waitForFunction(() => document.querySelector('#progress') === null);
      expect(await page.locator('h2').allTextContents()).toEqual(
        expect.arrayContaining(['Confusion matrix', 'Worst mistakes']),
      );
      expect([problems, requests]).toEqual([[], ['/', '/events']]);
      expect(readFileSync(join(dir, 'opened'), 'utf8')).toBe(`${url}\n`);
    } finally {
      run.child.kill();
      await browser.close();
    }
  },
  120_000,
);

it('a run that has ended is complete, even if its evaluation for the page is interrupted', async () => {
  const network = ['--variant', 'resnext11_4x16d_w16', '--size', '16', '--epochs', '1', '--threads', '1'];
  const run = start('train', join(dir, 'images'), ...network, '--out', join(dir, 'short'), '--open');
  const sent = request(new URL('/events', await addressIn(run)));
  const page = new Promise<string>((resolve, reject) => {
    sent.on('error', reject).on('response', (response) => {
      let text = '';
      let isStopped = false;
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (isStopped || !text.includes('is being evaluated')) return;
        isStopped = run.child.kill('SIGINT');
      });
      response.on('end', () => resolve(text.slice(text.indexOf('event: end'))));
    });
  });
  sent.end();
  expect(await run.ended).toMatchObject({ code: 0, stderr: expect.stringContaining('warning: Stopping.') });
  expect(await page).toContain('The model was not evaluated. It was interrupted.');
}, 60_000);

const answer = (url: string, host: string, method = 'GET', path = '/'): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), { method, headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject).end();
  });

it('answers this machine only, for its one page', async () => {
  const server = await LiveServer.open('<html><head><style></style></head><body>page</body></html>');
  const own = new URL(server.url).host;
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  expect(await Promise.all([own, 'localhost:8080', '[::1]:1'].map((host) => answer(server.url, host)))).toEqual([
    200, 200, 200,
  ]);
  const others = ['evil.example', '127.0.0.1.evil.example', `evil.example:${new URL(server.url).port}`];
  expect(await Promise.all(others.map((host) => answer(server.url, host)))).toEqual([403, 403, 403]);
  expect(await answer(server.url, own, 'POST')).toBe(405);
  expect(await answer(server.url, own, 'GET', '/../package.json')).toBe(404);
  server.close();
});

it.each([
  ['linux', { DISPLAY: ':0' }, ['xdg-open']],
  ['linux', { WAYLAND_DISPLAY: 'wayland-0' }, ['xdg-open']],
  ['linux', {}, undefined],
  ['linux', { SSH_CONNECTION: '1', DISPLAY: 'localhost:10.0' }, ['xdg-open']],
  ['darwin', {}, ['open']],
  ['darwin', { SSH_CONNECTION: '1' }, undefined],
  ['win32', {}, ['cmd', '/c', 'start', '']],
] as const)('on %s with %o, opens with %o', (platform, environment, expected) => {
  expect(opener(platform, environment)).toEqual(expected);
});
