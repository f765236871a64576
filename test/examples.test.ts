/** Every example runs as described in its header, and prints the documented output. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { load } from 'resnext';
import { afterAll, beforeAll, expect, it } from 'vitest';

const examples = fileURLToPath(new URL('../examples', import.meta.url));
const unseen = join(examples, 'images/unseen');
let dir: string;

/** The output of an example. */
async function run(name: string, ...args: string[]): Promise<string> {
  const file = join(examples, `${name}.ts`);
  const env = { ...process.env, NO_COLOR: '1' };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--import', 'tsx', file, ...args], { env });
  expect(stderr.replace(/^ *\d+ % .*\n/gm, '')).toBe(''); // lines of progress, after ten seconds
  return stdout;
}

/** A few of the bundled images of each class. */
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-examples-'));
  for (const [part, count] of [
    ['train', 32],
    ['val', 8],
  ] as const) {
    for (const name of readdirSync(join(examples, 'images', part))) {
      const from = join(examples, 'images', part, name);
      for (const file of readdirSync(from).slice(0, count)) {
        cpSync(join(from, file), join(dir, 'images', part, name, file));
      }
    }
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

it('build: the three forms compute the same', async () => {
  const printed = await run('build', 'resnext20_8x16d_w16');
  const costs = [...printed.matchAll(/form [ABC]: (\d+ parameters, \d+ multiply-adds)/g)].map(([, cost]) => cost);
  expect(costs).toHaveLength(3);
  expect(new Set(costs).size).toBe(1);
  expect(Number(/Largest logit: (\S+)/.exec(printed)![1])).toBeGreaterThan(0.01);
  expect(Number(/Largest difference: (\S+)/.exec(printed)![1])).toBeLessThan(1e-4);
});

it('classify and export ask for a trained run', async () => {
  for (const name of ['classify', 'export']) {
    await expect(run(name, join(dir, 'none'))).rejects.toMatchObject({
      code: 1,
      stderr: `There is no run "${join(dir, 'none')}". Run "npx tsx examples/train.ts" first.\n`,
    });
  }
});

it('demo: three commands, run as printed, and what is right and wrong is counted', async () => {
  const [base, out, images] = [join(dir, 'base'), join(dir, 'demo'), join(dir, 'images')];
  await run('train', base, '1', images);
  const printed = await run('demo', out, '2', images, base, base);
  const commands = [...printed.replaceAll(' \\\n   ', '').matchAll(/^\$ npx resnext (.*)$/gm)].map(
    ([, command]) => command,
  );
  expect(commands).toEqual([
    `classify examples/pictures --top 3 --show --model ${base}`,
    `train ${images} --from ${base} --freeze stem,layer1,layer2 --epochs 2 --out ${out} --show`,
    `classify examples/images/unseen --model ${out} --top 2 --show`,
  ]);
  expect(printed.match(/(bird|cat|deer|dog|ship|truck)\.jpg /g)).toHaveLength(6);
  const verdicts = [...printed.matchAll(/^([✓✗]) (\w+)-\d\.jpg +(\w+) +[█▏▎▍▌▋▊▉]+ +\d+ %$/gm)];
  expect(verdicts).toHaveLength(12);
  for (const [, mark, truth, predicted] of verdicts) expect(mark === '✓').toBe(truth === predicted);
  const right = verdicts.filter(([, mark]) => mark === '✓').length;
  expect(printed).toContain(`\n${right} of 12 right.\n`);
  expect(printed).toMatch(/\nTop-1 by epoch\n *\d+ % ┤.* validation \d+\.\d %\n.* epoch 1 +2\n/s);
  expect(printed).toMatch(/\nThat took \d+ seconds\. Next:\n/);
}, 120_000);

it('train, classify and export, one after the other', async () => {
  const [model, file] = [join(dir, 'run'), join(dir, 'model.onnx')];
  const trained = await run('train', model, '2', join(dir, 'images'));
  expect(trained).toContain('128 images of airplane, automobile, frog, horse\n');
  expect(trained).toMatch(/\nepoch 2: loss \d\.\d+, validation top-1 \d+\.\d %, /);
  expect(trained).toMatch(/\nBest top-1: \d+\.\d %/);

  const classified = (await run('classify', model)).trimEnd().split('\n');
  expect(classified).toHaveLength(readdirSync(unseen).length);
  for (const line of classified) expect(line).toMatch(/^\w+-\d\.jpg +(\w+ \d+\.\d %(, |$)){2}$/);

  const exported = await run('export', model, file);
  expect(exported).toContain('resnext11_8x16d_w16, 4 classes: airplane, automobile, frog, horse\n');
  expect(exported).toContain('preprocessing: {"channels":3,"size":32,');
  expect(exported).toContain('input [2,3,32,32] to logits [2,4]\n');
  expect(existsSync(file)).toBe(true);

  const classifier = await load(file);
  const [best] = await classifier.classify(join(unseen, 'airplane-1.jpg'));
  await classifier.dispose();
  const percent = (100 * best!.probability).toFixed(1);
  expect(classified[0]).toMatch(new RegExp(`^airplane-1.jpg +${best!.label} ${percent} %`));
});
