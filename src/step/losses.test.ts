/** Losses of weighted classes against PyTorch (golden/losses.py), and in training steps of both lowerings. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradient } from '../grad/gradient.ts';
import { Builder } from '../graph/builder.ts';
import { interpret } from '../graph/interpret.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { variant } from '../model/variants.ts';
import { tensor } from '../tensor.ts';
import { type Loss, losses, lossNames } from './losses.ts';
import { Trainer } from './trainer.ts';

const golden = JSON.parse(readFileSync(new URL('golden/losses.json', import.meta.url), 'utf8')) as {
  dims: [number, number];
  logits: number[];
  cases: { name: Loss; targets: number[]; weights: number[]; loss: number; gradient: number[] }[];
};
const { dims } = golden;
const float64 = (size: readonly number[], values: readonly number[]) =>
  tensor('float64', [...size], Float64Array.from(values));

it.each(golden.cases.map((each, i) => [each.name, i, each] as const))(
  "%s %i is PyTorch's, to 1e-6",
  (name, _, each) => {
    const b = new Builder('loss');
    const logits = b.input('logits', dims, 'float64');
    const targets = b.input('targets', dims, 'float64');
    const weights = b.input('weights', [dims[1]], 'float64');
    const loss = losses[name](b, logits, targets, weights);
    b.output(loss, 'loss');
    b.output(gradient(b.graph, loss, [logits])[0]!, 'dlogits');
    const feeds = {
      logits: float64(dims, golden.logits),
      targets: float64(dims, each.targets),
      weights: float64([4], each.weights),
    };
    const results = interpret(b.graph, new Map(Object.entries(feeds)));
    expect(results.get('loss')!.data[0]).toBeCloseTo(each.loss, 6);
    const found = [...results.get('dlogits')!.data];
    for (const [i, expected] of each.gradient.entries()) expect(found[i]).toBeCloseTo(expected, 6);
  },
);

describe.each(lossNames)('a step with %s', (loss) => {
  const model = resnext({ ...variant('resnext11_4x16d_w16'), classes: 3, inputSize: 16 });
  const optimizer = { name: 'sgd', momentum: 0.9, nesterov: false } as const;

  async function stepped(lowering: 'standard' | 'blocked', classWeights?: number[]) {
    const options = { batch: 4, loss, optimizer, lowering, threads: 1, ...(classWeights && { classWeights }) };
    const trainer = await Trainer.open(model, initialWeights(model, 1), options);
    trainer.images.forEach((_, i, images) => {
      images[i] = Math.sin(i * i);
    });
    trainer.targets.set([0.7, 0, 0.3, 0, 1, 0, 0.2, 0.2, 0.6, 1, 0, 0]);
    await trainer.step(0.1);
    const bias = [...(trainer.weights.get('fc.bias')!.data as Float32Array)];
    const result = { loss: trainer.loss[0]!, bias };
    await trainer.dispose();
    return result;
  }

  it('weighs the classes the same in both lowerings, and not at all with ones', async () => {
    const [plain, ones] = [await stepped('standard'), await stepped('standard', [1, 1, 1])];
    const weighted = [await stepped('standard', [0.1, 1, 4]), await stepped('blocked', [0.1, 1, 4])];
    expect(ones.loss).toBeCloseTo(plain.loss, 6);
    expect(Math.abs(weighted[0]!.loss - plain.loss)).toBeGreaterThan(0.05);
    expect(weighted[1]!.loss).toBeCloseTo(weighted[0]!.loss, 4);
    for (const [i, value] of weighted[0]!.bias.entries()) expect(weighted[1]!.bias[i]).toBeCloseTo(value, 5);
  });

  it('refuses another number of weights than classes', async () => {
    await expect(stepped('standard', [1, 2])).rejects.toThrow(
      'classWeights has 2 numbers, but the network has 3 classes.',
    );
  });
});
