/** What the page of `web/` asks for before anything is done with it, and when it can be used. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { type BuiltPage, buildPage } from '../../test/web-page.ts';

export interface FirstView {
  readonly files: number;
  /** Of all files together, compressed with Brotli. */
  readonly bytes: number;
  /** Milliseconds until the animation is there and the page is free to answer, in each round. */
  readonly usable: readonly number[];
}

export async function firstView(rounds: number): Promise<FirstView> {
  const built = await buildPage();
  try {
    return await measured(built, rounds);
  } finally {
    built.remove();
  }
}

function measured(built: BuiltPage, rounds: number): Promise<FirstView> {
  const asked: string[] = [];
  return built.use(
    '',
    async (page) => {
      await page.waitForLoadState('networkidle');
      const names = [...new Set(asked)];
      const bytes = names.map((file) => brotliCompressSync(readFileSync(join(built.folder, file))).length);
      const usable: number[] = [];
      for (let round = 0; round < rounds; round++) usable.push(await opened(page));
      return { files: names.length, bytes: bytes.reduce((a, b) => a + b, 0), usable };
    },
    { asked },
  );
}

/** Opens the page again, with an empty cache. */
async function opened(page: Page): Promise<number> {
  const context = await page.context().browser()!.newContext();
  try {
    const fresh = await context.newPage();
    await fresh.addInitScript(noteWhenUsable);
    await fresh.goto(page.url());
    const noted = await fresh.waitForFunction(() => (globalThis as { usable?: number }).usable);
    return (await noted.jsonValue())!;
  } finally {
    await context.close();
  }
}

/**
 * Runs in the page, before its scripts: notes when the drawing is there, in a task that comes after it was shown. Without
 * functions with names, for which a compiler may add calls of its own.
 */
function noteWhenUsable(): void {
  new MutationObserver((_, observer) => {
    if (!document.querySelector('.player .drawing')) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => Object.assign(globalThis, { usable: performance.now() })));
  }).observe(document, { childList: true, subtree: true });
}
