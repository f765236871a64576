/**
 * The library without the command line. Training learns, the same in every form, and bit-identically from the same
 * seed; convolution on plain tensors matches its definition on the runtime.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Form,
  initialWeights,
  loadModel,
  resnext,
  resume,
  type TrainEvent,
  type TrainOptions,
  train,
  variant,
  type Weights,
} from 'resnext';
import { cifarPreprocessing } from 'resnext/data';
import { convolution, convolutionGradient, runConvolution, runConvolutionGradient } from 'resnext/graph';
import { Trainer } from 'resnext/train';
import { readSafetensorsFile, writeSafetensorsFile } from 'resnext/weights';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { relativeError, seeded } from './tensors.ts';

const classes = ['bars', 'columns', 'diagonals', 'plain'];
const count = 30;
let dir: string;
let folder: string;

/** Grayscale noise over stripes in one direction, or none, with a different shift in each image. */
async function paint(label: number, i: number): Promise<void> {
  const random = seeded(100 * label + i);
  const shift = random.integer(0, 7);
  const stripe = (x: number, y: number) => [y, x, x + y, 0][label]! + shift;
  const data = Uint8Array.from({ length: 32 * 32 }, (_, p) => {
    const bright = label < 3 && stripe(p % 32, Math.floor(p / 32)) % 8 < 4;
    return random.number(0, 100) + (bright ? 150 : 50);
  });
  await sharp(data, { raw: { width: 32, height: 32, channels: 1 } })
    .png()
    .toFile(join(folder, classes[label]!, `small-${i}.png`)); // of these names, 5 to 7 of each class are held out, 24 in all
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-training-'));
  folder = join(dir, 'images');
  for (const [label, name] of classes.entries()) {
    mkdirSync(join(folder, name), { recursive: true });
    for (let i = 0; i < count; i++) await paint(label, i);
  }
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

type Events = { readonly [E in TrainEvent['event']]: Extract<TrainEvent, { event: E }>[] };

interface Run {
  readonly out: string;
  readonly events: Events;
}

let runs = 0;
const small = { variant: 'resnext11_4x16d_w16', size: 16 };
const base = { ...small, epochs: 3, batch: 8, learningRate: 0.005, workers: 2, threads: 1 };

/** The events of a run, grouped by kind. With `stopAt`, it is interrupted after that step. */
async function trainRun(given: Partial<TrainOptions> = {}, stopAt = Number.POSITIVE_INFINITY): Promise<Run> {
  const out = join(dir, `run-${runs++}`);
  const stop = new AbortController();
  const { events, onEvent } = listener(({ step }) => step >= stopAt && stop.abort());
  await train({ ...base, data: folder, out, ...given }, { onEvent, signal: stop.signal });
  return { out, events };
}

function listener(onStep: (steps: { step: number }) => void = () => {}) {
  const events: Events = {
    ...{ start: [], features: [], step: [], corrupt: [], epoch: [], end: [] },
    ...{ sweep: [], suggestion: [] },
  };
  const onEvent = (event: TrainEvent) => {
    (events[event.event] as TrainEvent[]).push(event);
    if (event.event === 'step') onStep({ step: events.step.length });
  };
  return { events, onEvent };
}

const digest = (...weights: Weights[]): string => {
  const hash = createHash('sha256');
  for (const [name, { data }] of weights.flatMap((tensors) => [...tensors])) hash.update(name).update(data);
  return hash.digest('hex');
};

/** Of the weights and slots that a run came to. */
const digestOf = async ({ out }: Run): Promise<string> =>
  digest((await readSafetensorsFile(join(out, 'checkpoints/last.safetensors'))).tensors);

const losses = ({ events }: Run): number[] => events.step.map(({ loss }) => loss);
const relativeDifference = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!) / b[i]!));

describe('learning', () => {
  const tolerance = 0.01;
  let formC: Run;
  beforeAll(async () => {
    formC = await trainRun();
  }, 60_000);

  it('keeps a fifth of the images for validation', () => {
    expect(formC.events.start[0]).toMatchObject({ classes, train: 96, validation: 24, stepsPerEpoch: 12 });
  });

  /** Rounding differs between forms, and training amplifies it: here from 1e-7 of the loss to 1e-3 in 36 steps. */
  it('distinguishes four patterns after three epochs, in forms C and A', async () => {
    const formA = await trainRun({ form: 'A' });
    for (const { events } of [formA, formC]) expect(events.epoch.at(-1)!.validation!.top1).toBeGreaterThan(90);
    expect(losses(formA)).toHaveLength(36);
    expect(relativeDifference(losses(formA).slice(0, 12), losses(formC))).toBeLessThan(1e-4);
    expect(relativeDifference(losses(formA), losses(formC))).toBeLessThan(tolerance);
  });

  it('reaches bit-identical weights with 0, 1 and 2 workers, and without the image cache', async () => {
    const expected = await digestOf(formC);
    for (const given of [{ workers: 0 }, { workers: 1 }, { cache: 0 }]) {
      expect(await digestOf(await trainRun(given))).toBe(expected);
    }
    expect(await digestOf(await trainRun({ seed: 2 }))).not.toBe(expected);
  });

  it('resumes to bit-identical weights', async () => {
    const stopped = await trainRun({}, 17);
    expect(stopped.events.end).toMatchObject([{ interrupted: true, epochs: 1 }]);
    const { events, onEvent } = listener();
    expect(await resume(stopped.out, {}, { onEvent })).toMatchObject({ interrupted: false });
    expect(events.start).toMatchObject([{ epoch: 1, step: 5 }]);
    expect([...losses(stopped), ...events.step.map(({ loss }) => loss)]).toEqual(losses(formC));
    expect(await digestOf(stopped)).toBe(await digestOf(formC));
  });

  it.each<Partial<TrainOptions>>([
    { mixup: 0.4, cutmix: 1, mixEpochs: 2, labelSmoothing: 0.1, repeats: 2, erasing: 0.5, augmentation: '3a' },
    { sampling: 'balanced', loss: 'binary-cross-entropy', targetThreshold: 0.2, cutmix: 1, rotation: 10, blur: 0.2 },
    { classWeights: 'effective', mixup: 1, accumulate: 2, flip: 0, augmentation: 'rand-m7-n2-mstd0.5-inc1' },
  ])('resumes to bit-identical weights with %o, for any number of workers', async (given) => {
    const whole = await trainRun({ ...given, workers: 0 });
    const stopped = await trainRun(given, 17);
    await resume(stopped.out, { threads: 1 });
    expect(await digestOf(stopped)).toBe(await digestOf(whole));
    expect(await digestOf(whole)).not.toBe(await digestOf(formC));
  });

  it('does not go on from a checkpoint that lacks a part of the momentum', async () => {
    const stopped = await trainRun({}, 17);
    const path = join(stopped.out, 'checkpoints/last.safetensors');
    const { tensors, metadata } = await readSafetensorsFile(path);
    tensors.delete('slots.momentum.fc.bias');
    await writeSafetensorsFile(path, tensors, metadata);
    await expect(resume(stopped.out)).rejects.toThrow(
      /lacks the slot "momentum" of "fc\.bias", which sgd continues from\. The file is damaged\.$/,
    );
  });

  it('goes on from a checkpoint of version 0.1, to the bit', async () => {
    const stopped = await trainRun({}, 17);
    const path = join(stopped.out, 'checkpoints/last.safetensors');
    const { tensors, metadata } = await readSafetensorsFile(path);
    const older = new Map([...tensors].map(([name, each]) => [name.replace(/^slots\.momentum\./, 'velocity.'), each]));
    const { correct, count: seen, ...progress } = JSON.parse(metadata.get('progress')!);
    const { loss, optimizer, beta1, beta2, epsilon, averageDecay, ...options } = JSON.parse(metadata.get('options')!);
    const texts = { progress: { ...progress, right: correct, seen }, options: { ...options, threads: 1, workers: 2 } };
    for (const [key, value] of Object.entries(texts)) metadata.set(key, JSON.stringify(value));
    await writeSafetensorsFile(path, older, metadata);
    const { events, onEvent } = listener();
    await resume(stopped.out, { threads: 1 }, { onEvent });
    expect(events.epoch.at(-1)).toMatchObject({ loss: formC.events.epoch.at(-1)!.loss });
    expect(await digestOf(stopped)).toBe(await digestOf(formC));
  });

  it('learns with AdamW, binary cross-entropy and an average, which is what it saves, and goes on to the same bits', async () => {
    const given = {
      optimizer: 'adamw',
      loss: 'binary-cross-entropy',
      learningRate: 0.005,
      averageDecay: 0.9,
    } as const;
    const whole = await trainRun(given);
    expect(whole.events.epoch.at(-1)!.validation!.top1).toBeGreaterThan(80);
    const { tensors } = await readSafetensorsFile(join(whole.out, 'checkpoints/best.safetensors'));
    const saved = (await readSafetensorsFile(join(whole.out, 'model.safetensors'))).tensors;
    for (const name of ['conv1.weight', 'bn1.running_mean']) {
      expect(saved.get(name)!.data).toEqual(tensors.get(`average.${name}`)!.data);
      expect(saved.get(name)!.data).not.toEqual(tensors.get(`weights.${name}`)!.data);
    }
    const stopped = await trainRun(given, 17);
    await resume(stopped.out, { threads: 1 });
    expect(await digestOf(stopped)).toBe(await digestOf(whole));
  });

  it.each([
    { optimizer: 'lamb', accumulate: 2, replicas: 2 },
    { optimizer: 'sgd', dropPath: 0.2, dropout: 0.1, averageDecay: 0.5, averageEvery: 2, averageWarmup: true },
    { optimizer: 'rmsprop', learningRate: 0.002, clipNorm: 1 },
  ] as const)('learns with $optimizer, and goes on to the same bits', async (given) => {
    const whole = await trainRun(given);
    expect(whole.events.epoch.at(-1)!.validation!.top1).toBeGreaterThan(80);
    const stopped = await trainRun(given, 17);
    await resume(stopped.out, { threads: 1 });
    expect(await digestOf(stopped)).toBe(await digestOf(whole));
  });

  it('trains on other sizes than it validates on, and goes on to the same bits in any part', async () => {
    const given = { trainSize: [12, 24], epochs: 4, averageDecay: 0.5, optimizer: 'adamw', dropout: 0.1 } as const;
    const whole = await trainRun(given);
    const parts = [
      { size: 12, first: 1, last: 2 },
      { size: 24, first: 3, last: 4 },
    ];
    expect(whole.events.start[0]).toMatchObject({ size: 16, trainSizes: parts });
    const { preprocessing } = (await loadModel(whole.out)).description;
    expect(preprocessing).toMatchObject({ size: 16, resize: 16 });
    for (const stopAt of [17, 24, 41]) {
      const stopped = await trainRun(given, stopAt); // of 12 steps per epoch: in epoch 2, at its end, and in epoch 4
      await resume(stopped.out, { threads: 1 });
      expect(await digestOf(stopped), `stopped after step ${stopAt}`).toBe(await digestOf(whole));
    }
  }, 60_000);

  it('saves how images are resized', async () => {
    const { out } = await trainRun({ epochs: 1, resize: 20, interpolation: 'bicubic' });
    const { preprocessing } = (await loadModel(out)).description;
    expect(preprocessing).toMatchObject({ size: 16, resize: 20, interpolation: 'bicubic' });
    await expect(trainRun({ resize: 15 })).rejects.toThrow('resize is 15, but the center crop needs at least the size');
  });

  it('can resume in another form', async () => {
    const stopped = await trainRun({ form: 'A' }, 17);
    const { events, onEvent } = listener();
    await resume(stopped.out, { form: 'B' }, { onEvent });
    const all = [...losses(stopped), ...events.step.map(({ loss }) => loss)];
    expect(relativeDifference(all, losses(formC))).toBeLessThan(tolerance);
  });

  /** The loss cannot be below the entropy of the targets, 0.7 and three times 0.1. */
  it('never has a loss below the entropy of smoothed labels', async () => {
    const { events } = await trainRun({ labelSmoothing: 0.4, learningRate: 0.05 });
    const entropy = -(0.7 * Math.log(0.7) + 3 * 0.1 * Math.log(0.1));
    const { loss, top1 } = events.epoch.at(-1)!;
    expect(top1).toBeGreaterThan(90);
    expect(loss).toBeGreaterThan(entropy);
    expect(loss).toBeLessThan(entropy + 0.2);
  });
});

/** 120 images in batches of 60: two steps per epoch, at 0, 1/8, 2/8, … of four epochs. */
describe('the learning rate', () => {
  const half = Math.SQRT1_2;
  it.each([
    ['constant', 0, [1, 1, 1, 1, 1, 1, 1, 1]],
    ['step', 0, [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]],
    ['cosine', 0, [2, 1 + Math.cos(Math.PI / 8), 1 + half, 1 + Math.cos((3 * Math.PI) / 8)]],
    ['constant', 2, [0.01, 0.2575, 0.505, 0.7525, 1, 1, 1, 1]],
  ] as const)('%s with a warm-up of %d epochs', async (schedule, warmup, expected) => {
    const scale = schedule === 'cosine' ? 0.5 : 1;
    const { events } = await trainRun({
      schedule,
      warmup,
      epochs: 4,
      batch: 60,
      size: 8,
      validation: 0,
      learningRate: 0.04,
    });
    const rates = events.step.map(({ learningRate }) => learningRate);
    expect(rates).toHaveLength(8);
    for (const [i, rate] of expected.entries()) expect(rates[i]).toBeCloseTo(0.04 * scale * rate, 15);
    if (schedule !== 'cosine') return;
    for (const [i, rate] of rates.slice(1).entries()) expect(rate + rates[7 - i]!).toBeCloseTo(0.04, 15);
  });
});

describe('Trainer', () => {
  const random = seeded(7);
  const model = (form: Form) => resnext({ ...variant(small.variant), classes: 4, inputSize: small.size, form });
  const open = async (form: Form, weights: Weights) =>
    Trainer.open(model(form), weights, {
      batch: 4,
      optimizer: { name: 'sgd', momentum: 0.9, nesterov: true },
      decayOf: () => 1e-3,
    });
  const images = random.tensor([4, cifarPreprocessing.channels, 16, 16]).data;
  const step = async (trainer: Trainer) => {
    trainer.images.set(images);
    for (let n = 0; n < 4; n++) trainer.targets[4 * n + n] = 1;
    await trainer.step(0.1);
    return trainer.loss[0]!;
  };

  it.each(['A', 'B', 'C'] as const)('can pass its state to another, in form %s', async (form) => {
    const first = await open(form, initialWeights(model(form), 1));
    for (let i = 0; i < 3; i++) await step(first);
    const second = await open(form, first.weights);
    second.setState(first);
    expect(await step(second)).toBe(await step(first));
    expect(digest(second.weights, ...second.slots.values())).toBe(digest(first.weights, ...first.slots.values()));
    await first.dispose();
    await second.dispose();
  });
});

describe('convolution', () => {
  const random = seeded(1);
  const [x, w, bias] = [random.tensor([2, 6, 9, 8]), random.tensor([9, 2, 3, 3]), random.tensor([9])];
  const options = { bias, groups: 3, stride: 2, padding: [1, 0, 1, 2], dilation: [1, 2] } as const;

  it('in float32 on the runtime matches its definition in float64', async () => {
    const y = convolution(x, w, options);
    expect(y.dims).toEqual([2, 9, 5, 3]);
    expect(relativeError(await runConvolution(x, w, options), y)).toBeLessThan(1e-6);
    const dy = random.tensor(y.dims);
    const expected = convolutionGradient(x, w, dy, options);
    const actual = await runConvolutionGradient(x, w, dy, options);
    for (const name of ['dx', 'dw', 'db'] as const) {
      expect(actual[name]!.dims).toEqual(expected[name]!.dims);
      expect(relativeError(actual[name]!, expected[name]!)).toBeLessThan(1e-6);
    }
  });

  it.each([
    [6, 9, 4, 'Conv "convolution": 4 groups do not divide the 6 input channels.'],
    [6, 8, 3, 'Conv "convolution": 3 groups do not divide the 8 filters.'],
    [8, 8, 2, 'Conv "convolution": input has 8 channels, but its weight expects 2 per group × 2 groups = 4.'],
    [6, 9, 1.5, 'groups is 1.5, but expected a whole number of at least 1.'],
  ])('from %i channels to %i in %d groups is refused with a reason', async (channels, filters, groups, reason) => {
    const [x, w] = [random.tensor([1, channels, 5, 5]), random.tensor([filters, 2, 3, 3])];
    const refusal = expect.objectContaining({ name: 'UsageError', message: reason });
    expect(() => convolution(x, w, { groups })).toThrow(refusal);
    await expect(runConvolution(x, w, { groups })).rejects.toThrow(refusal);
  });
});
