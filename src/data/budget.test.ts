/** The pixels that are decoded at once. */
import { expect, it } from 'vitest';
import { pixelBudget, withPixels } from './budget.ts';
import { runJob } from './job.ts';

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

it('is never exceeded, whatever the order, and is whole again in the end', async () => {
  const budget = pixelBudget(1, true);
  let [now, most] = [0, 0];
  const decode = (pixels: number) =>
    withPixels(budget, pixels, async () => {
      now += pixels;
      most = Math.max(most, now);
      await pause(2);
      now -= pixels;
    });
  await Promise.all([1e6, 3e5, 3e5, 9e5, 1e5, 5e5, 1e6, 1].map(decode));
  expect(most).toBeLessThanOrEqual(1e6);
  expect(most).toBeGreaterThan(5e5);
  expect(budget.left[0]).toBe(1e6);
});

it('is given back where decoding fails', async () => {
  const budget = pixelBudget(1, false);
  await expect(withPixels(budget, 7, () => Promise.reject(new Error('damaged')))).rejects.toThrow('damaged');
  expect(budget.left[0]).toBe(1e6);
});

it('is taken by a job for each image that it decodes', async () => {
  const budget = pixelBudget(0.0001, false); // 100 pixels
  const image = (side: number) => new Uint8Array(Buffer.from(`P5 ${side} ${side} 255\n${'x'.repeat(side * side)}`));
  const sides = [10, 9, 10, 11, 8];
  const normalize = { kind: 'normalize', mean: [0, 0, 0], std: [1, 1, 1] } as const;
  const failures = await runJob({
    images: sides.map((side) => ({ name: `${side}`, bytes: image(side) })),
    indices: [...sides.keys()],
    repetitions: sides.map(() => 0),
    prefix: [{ kind: 'center-crop', size: 4 }],
    rest: [normalize],
    cache: undefined,
    budget,
    seed: 0,
    epoch: 0,
    outs: sides.map(() => new Float32Array(3 * 16)),
  });
  expect(failures).toEqual([
    {
      position: 3,
      message: expect.stringMatching(/^Image "11" has 11 × 11 pixels, more than 0.0001 megapixels\./),
    },
  ]);
  expect(budget.left[0]).toBe(100);
});
