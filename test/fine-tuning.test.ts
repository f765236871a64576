/**
 * Fine-tuning a model on three of its four classes: frozen tensors stay bit-identical, a resumed run reaches the same
 * weights without the model that it started from, and a linear probe trains only the classifier.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load, loadModel, resume, type TrainEvent, type TrainOptions, train } from 'resnext';
import { openClasses } from 'resnext/data';
import type { Tensor } from 'resnext/graph';
import { readSafetensorsFile } from 'resnext/weights';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';

const images = fileURLToPath(new URL('../examples/images', import.meta.url));
const all = ['airplane', 'automobile', 'frog', 'horse'];
const some = ['automobile', 'frog', 'horse'];
let dir: string;
let source: string;

/** A few images of each class, for training and validation. */
function folderOf(classes: readonly string[]): string {
  const folder = join(dir, classes.join('-'));
  for (const [part, count] of [
    ['train', 24],
    ['val', 8],
  ] as const) {
    for (const name of classes) {
      mkdirSync(join(folder, part, name), { recursive: true });
      const files = readdirSync(join(images, part, name))
        .sort()
        .slice(0, count);
      for (const file of files) cpSync(join(images, part, name, file), join(folder, part, name, file));
    }
  }
  return folder;
}

const base = { batch: 8, workers: 1, threads: 1, seed: 3 };

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-tuning-'));
  source = join(dir, 'source');
  const small = { variant: 'resnext11_4x16d_w16', size: 24 };
  await train({ ...base, ...small, data: folderOf(all), out: source, epochs: 2, learningRate: 0.05 });
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

interface Run {
  readonly out: string;
  readonly events: readonly TrainEvent[];
}

let runs = 0;

/** The events of a run from the source. With `stopAt`, it is interrupted after that step. */
async function tune(given: Partial<TrainOptions>, stopAt = Number.POSITIVE_INFINITY): Promise<Run> {
  const out = join(dir, `run-${runs++}`);
  const events: TrainEvent[] = [];
  const stop = new AbortController();
  const onEvent = (event: TrainEvent) => {
    events.push(event);
    if (events.filter((each) => each.event === 'step').length >= stopAt) stop.abort();
  };
  await train(
    { ...base, data: folderOf(some), out, from: source, epochs: 2, ...given },
    { onEvent, signal: stop.signal },
  );
  return { out, events };
}

const weightsIn = async (run: string): Promise<ReadonlyMap<string, Tensor>> =>
  (await readSafetensorsFile(join(run, 'model.safetensors'))).tensors;
const same = (a: Tensor | undefined, b: Tensor | undefined): boolean => `${a?.data}` === `${b?.data}`;

const numbers = ({ data }: Tensor): number[] => Array.from(data as Float32Array);

/** The largest absolute difference. */
const distance = (a: Tensor, b: Tensor): number => {
  const others = numbers(b);
  return Math.max(...numbers(a).map((value, i) => Math.abs(value - others[i]!)));
};

/** The modules (first part of the name) whose tensors are bit-identical in two runs. */
async function alike(a: string, b: string): Promise<Set<string>> {
  const [left, right] = [await weightsIn(a), await weightsIn(b)];
  const names = [...left.keys()].filter((name) => same(left.get(name), right.get(name)));
  return new Set(names.map((name) => name.split('.')[0]!));
}

describe('three of four classes, with the stem and the first stage frozen', () => {
  let frozen: Run;
  beforeAll(async () => {
    frozen = await tune({ freeze: ['layer1', 'stem'] });
  }, 60_000);

  it('says what is trained', () => {
    expect(frozen.events[0]).toMatchObject({
      ...{ event: 'start', from: source, frozen: ['stem', 'layer1'], newHead: true, linearProbe: false },
      ...{ variant: 'resnext11_4x16d_w16', classes: some },
    });
    const { trained, parameters } = frozen.events[0] as Extract<TrainEvent, { event: 'start' }>;
    expect(trained).toBeLessThan(parameters);
  });

  it('leaves only frozen tensors bit-identical, including batch counts', async () => {
    const [before, after] = [await weightsIn(source), await weightsIn(frozen.out)];
    const still = [...before.keys()].filter((name) => /^(conv1|bn1|layer1)\./.test(name));
    expect(still.filter((name) => !same(before.get(name), after.get(name)))).toEqual([]);
    expect(await alike(source, frozen.out)).toEqual(new Set(['conv1', 'bn1', 'layer1']));
  });

  it('keeps the architecture and preprocessing', async () => {
    const [before, after] = [(await loadModel(source)).description, (await loadModel(frozen.out)).description];
    expect(after).toMatchObject({ variant: before.variant, preprocessing: before.preprocessing, classes: some });
    expect(after.config).toEqual({ ...before.config, classes: 3 });
  });

  it('resumes to bit-identical weights, without the model that it started from', async () => {
    const stopped = await tune({ freeze: ['layer1', 'stem'] }, 5);
    renameSync(source, `${source}-away`);
    try {
      expect(await resume(stopped.out)).toMatchObject({ interrupted: false });
    } finally {
      renameSync(`${source}-away`, source);
    }
    const [one, other] = [stopped, frozen].map(({ out }) => join(out, 'checkpoints/last.safetensors'));
    const [a, b] = [await readSafetensorsFile(one!), await readSafetensorsFile(other!)];
    expect([...a.tensors.keys()]).toEqual([...b.tensors.keys()]);
    for (const [name, contents] of a.tensors) expect(same(contents, b.tensors.get(name)), name).toBe(true);
  });

  it('can be resumed with other parts frozen', async () => {
    const before = await weightsIn(frozen.out);
    await resume(frozen.out, { epochs: 4, freeze: ['layer2', 'layer3'] });
    const { tensors } = await readSafetensorsFile(join(frozen.out, 'checkpoints/last.safetensors'));
    expect(same(tensors.get('weights.conv1.weight'), before.get('conv1.weight'))).toBe(false);
    expect([...tensors.keys()].filter((name) => name.startsWith('slots.momentum.layer2'))).toEqual([]);
  });
});

test('another size, and a backbone with a tiny learning rate', async () => {
  const { out } = await tune({ size: 16, backboneLearningRate: 1e-9, weightDecay: 0, normWeightDecay: 0, epochs: 1 });
  const { preprocessing, config } = (await loadModel(out)).description;
  expect(preprocessing).toMatchObject({ size: 16, resize: 16 });
  expect(config.inputSize).toEqual([16, 16]);
  const [before, after] = [await weightsIn(source), await weightsIn(out)];
  const moved = (name: string) => distance(before.get(name)!, after.get(name)!);
  expect(moved('layer2.0.conv1.weight')).toBeLessThan(1e-6);
  expect(moved('layer2.0.bn1.running_mean')).toBeGreaterThan(1e-3);
});

test('the same classes keep their classifier', async () => {
  const { events, out } = await tune({ data: folderOf(all), learningRate: 1e-9, weightDecay: 0, epochs: 1 });
  expect(events[0]).toMatchObject({ newHead: false, classes: all, frozen: [] });
  const [before, after] = [await weightsIn(source), await weightsIn(out)];
  expect(distance(before.get('fc.weight')!, after.get('fc.weight')!)).toBeLessThan(1e-6);
});

describe('a linear probe', () => {
  let probe: Run;
  beforeAll(async () => {
    probe = await tune({ linearProbe: true, epochs: 3 });
  }, 60_000);

  it('computes features once, and trains only the classifier', async () => {
    expect(probe.events[0]).toMatchObject({ linearProbe: true, frozen: ['stem', 'layer1', 'layer2', 'layer3'] });
    const features = probe.events.filter(({ event }) => event === 'features');
    expect(features.at(-1)).toMatchObject({ done: 72 + 24, total: 72 + 24 });
    expect(await alike(source, probe.out)).toEqual(new Set(['conv1', 'bn1', 'layer1', 'layer2', 'layer3']));
  });

  it('is a complete model with the reported accuracy', async () => {
    const { metrics } = (await loadModel(probe.out)).description;
    const classifier = await load(probe.out, { cache: false, threads: 1 });
    const { samples } = await openClasses(join(folderOf(some), 'val'), some);
    const { top1, loss } = await classifier.evaluate(samples);
    await classifier.dispose();
    expect(top1).toBe(metrics.top1);
    expect(loss).toBeCloseTo(metrics.loss!, 4);
  });

  it('resumes to bit-identical weights', async () => {
    const stopped = await tune({ linearProbe: true, epochs: 3 }, 11);
    await resume(stopped.out);
    const [a, b] = [await weightsIn(stopped.out), await weightsIn(probe.out)];
    for (const [name, contents] of a) expect(same(contents, b.get(name)), name).toBe(true);
  });

  it('can be resumed if interrupted while features are computed', async () => {
    const out = join(dir, 'early');
    const stop = new AbortController();
    const given = { ...base, data: folderOf(some), out, from: source, epochs: 3, linearProbe: true };
    const onEvent = ({ event }: TrainEvent) => event === 'features' && stop.abort();
    expect(await train(given, { onEvent, signal: stop.signal })).toMatchObject({ interrupted: true });
    expect(await resume(out)).toMatchObject({ interrupted: false });
    const [a, b] = [await weightsIn(out), await weightsIn(probe.out)];
    for (const [name, contents] of a) expect(same(contents, b.get(name)), name).toBe(true);
  });
});

describe('is refused', () => {
  it.each([
    [
      'a variant beside the model',
      { variant: 'resnext50_32x4d' },
      /^variant cannot be combined with from: ".*source" determines it\. Remove one of the two\.$/,
    ],
    ['a shortcut beside the model', { shortcut: 'A' }, /^shortcut cannot be combined with from/],
    [
      'no such part',
      { freeze: ['layer4'] },
      /freeze is "layer4", but expected parameter groups of this model: stem, layer1, layer2, layer3, fc/,
    ],
    ['nothing to train', { freeze: ['backbone', 'fc'] }, /leaves nothing to train/],
    [
      'a new classifier that is frozen',
      { freeze: ['stem', 'fc'] },
      /freeze is "fc", but the classifier is new and has to be trained/,
    ],
    ['a probe with frozen parts', { linearProbe: true, freeze: ['stem'] }, /^freeze has no effect with linearProbe/],
    ['freezing a new network', { from: '', freeze: ['stem'] }, /^freeze needs pretrained weights\. Add from: MODEL\.$/],
    ['a probe of a new network', { from: '', linearProbe: true }, /^linearProbe needs pretrained weights/],
    [
      'a backbone without a rate',
      { backboneLearningRate: 0 },
      /^backboneLearningRate is 0, but expected a number above 0\.$/,
    ],
    ['a file in the folder’s place', { out: fileURLToPath(import.meta.url) }, /is a file, but a run needs a folder/],
    ['no such model', { from: 'nowhere' }, /There is no file, folder or published model named "nowhere"/],
  ] as const)('%s', async (_, given, reason) => {
    const out = join(dir, 'refused');
    const options = { ...base, data: folderOf(some), out, from: source, ...given };
    await expect(train(options)).rejects.toThrow(reason);
    expect(existsSync(out)).toBe(false);
  });
});
