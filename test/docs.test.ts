/** The listings of docs/forms.md run as they stand, one after the other, as one program. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

test('the listings of docs/forms.md hold', async () => {
  const text = await readFile(join(root, 'docs/forms.md'), 'utf8');
  const listings = [...text.matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1]!);
  expect(listings.length).toBeGreaterThanOrEqual(7);
  const folder = await mkdtemp(join(root, 'test/docs-')); // inside the package, so that it finds itself by name
  try {
    const file = join(folder, 'forms.mts');
    await writeFile(file, `${listings.join('\n')}\nconsole.log('all hold');\n`);
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', file], { cwd: root });
    expect(stdout).toBe('all hold\n');
  } finally {
    await rm(folder, { recursive: true });
  }
});
