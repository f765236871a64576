/** The state of Explore, as the address writes it. */
import { expect, test } from 'vitest';
import { initial, readState, writeState } from './state.ts';

test('is read as it was written', () => {
  const { vectors, grouped } = initial.figures;
  const figures = {
    vectors: { ...vectors, filter: vectors.filter.with(3, -12) },
    grouped: { ...grouped, inputs: 6, groups: 2, weights: grouped.weights.with(7, grouped.weights[7]!.with(0, -5)) },
  };
  const block = { network: 'resnext29_8x64d', stage: 3, position: 'first' } as const;
  const state = { ...block, time: 1.5, pick: { layer: 2, channel: 37 }, figures } as const;
  const fields = writeState(state);
  expect(fields).toMatchObject({ pick: '2.37', xy: '2.0.1.-12.1.1.0.2', grouped: '6.4.2', weights: '8.1.-5' });
  expect(readState(fields)).toEqual(state);
  expect(writeState(readState({}))).toEqual({});
});

test.each([
  { network: 'resnet50' },
  { network: '__proto__' },
  { network: 'resnext50_1000x4d' },
  { network: 'resnext20_4x1d_w2' },
  { stage: '5' },
  { stage: '1.5' },
  { position: 'last' },
  { time: '-1' },
  { time: 'NaN' },
  { pick: '4.1' },
  { pick: '<svg>' },
  { ab: '1.2' },
  { ab: '1.2.3.4.5.6.7.800' },
  { grouped: '7.4.4' },
  { grouped: '8.4.0' },
  { pixel: 'x' },
  { weights: '9.1.1_0.1.1_1.9.1_1.1' },
])('with %o, which makes no sense, is the default', (fields) => {
  expect(readState(fields)).toEqual(initial);
});
