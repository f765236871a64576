/** A step in parts: one after the other, at the same time, and both, against steps on each part by itself. */
import { expect, onTestFinished, test } from 'vitest';
import { smallModel as model } from '../../test/small-model.ts';
import { relativeError, seeded } from '../../test/tensors.ts';
import { initialWeights } from '../model/init.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { Trainer, type TrainerOptions } from './trainer.ts';

const weights = initialWeights(model, 1);
const optimizer = { name: 'sgd', momentum: 0.9, nesterov: true } as const;
const batch = 8;
const images = seeded(2).tensor([batch, 3, 8, 8]).data;

interface Seen {
  readonly gradients: Float32Array;
  readonly loss: number;
  readonly logits: Float32Array;
  readonly weights: ReadonlyMap<string, Tensor>;
}

/** A step on images `from` to `to`. */
async function stepOn(from: number, to: number, given: Partial<TrainerOptions>, start = weights): Promise<Seen> {
  let gradients = new Float32Array();
  const reduce = async (all: Float32Array) => {
    gradients = all.slice();
  };
  const options = { batch: to - from, optimizer, threads: 2, reduce, ...given };
  const trainer = await Trainer.open(model, start, options);
  onTestFinished(() => trainer.dispose());
  trainer.images.set(images.subarray(from * 192, to * 192));
  for (let n = from; n < to; n++) trainer.targets[(n - from) * 2 + (n % 2)] = 1;
  await trainer.step(0.1);
  return { gradients, loss: trainer.loss[0]!, logits: trainer.logits.slice(), weights: trainer.weights };
}

const vector = (data: Float32Array): Tensor => tensor('float32', [data.length], data);
const mean = (all: readonly Float32Array[]): Float32Array =>
  all[0]!.map((_, i) => all.reduce((sum, each) => sum + each[i]! / all.length, 0));
const statistics = ({ weights: all }: Seen): Tensor[] =>
  [...all].flatMap(([name, value]) => (name.includes('running_') ? [value] : []));

test.each([
  { accumulate: 4, replicas: 1 },
  { accumulate: 1, replicas: 2 },
  { accumulate: 2, replicas: 2 },
])('$accumulate after one another, $replicas at once', async ({ accumulate, replicas }) => {
  const found = await stepOn(0, batch, { accumulate, replicas });
  const size = batch / (accumulate * replicas);
  const lanes: Seen[][] = [];
  for (let r = 0; r < replicas; r++) {
    lanes.push([]);
    for (let k = 0; k < accumulate; k++) {
      const from = (r * accumulate + k) * size;
      const before = lanes[r]!.at(-1);
      const moved = before && [...before.weights].filter(([name]) => name.includes('running_'));
      lanes[r]!.push(await stepOn(from, from + size, {}, new Map([...weights, ...(moved ?? [])])));
    }
  }
  const parts = lanes.flat();
  const gradients = mean(parts.map((part) => part.gradients));
  expect(relativeError(vector(found.gradients), vector(gradients))).toBeLessThan(1e-6);
  expect(found.loss).toBeCloseTo(
    parts.reduce((sum, { loss }) => sum + loss / parts.length, 0),
    6,
  );
  expect(found.logits).toEqual(Float32Array.from(parts.flatMap(({ logits }) => [...logits])));
  const ends = lanes.map((lane) => statistics(lane.at(-1)!));
  for (const [i, statistic] of statistics(found).entries()) {
    const expected = mean(ends.map((each) => each[i]!.data as Float32Array));
    expect(relativeError(statistic, vector(expected))).toBeLessThan(1e-6);
  }
});

test('the same parts give the same bits', async () => {
  const [first, second] = [await stepOn(0, batch, { replicas: 2 }), await stepOn(0, batch, { replicas: 2 })];
  expect(second).toEqual(first);
});

test.each([
  [{ accumulate: 3 }, 'A batch of 8 images cannot be divided into 3 equal parts.'],
  [{ accumulate: 3, replicas: 2 }, 'A batch of 8 images cannot be divided into 3 × 2 equal parts.'],
  [{ replicas: 0 }, 'replicas is 0, but expected a whole number from 1 to 256.'],
  [{ replicas: 1000 }, 'replicas is 1000, but expected a whole number from 1 to 256.'],
])('%j is refused', async (given, message) => {
  await expect(Trainer.open(model, weights, { batch, optimizer, ...given })).rejects.toThrow(message);
});
