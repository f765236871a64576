import { expect, test, vi } from 'vitest';
import { openBound } from '#platform';
import { smallModel as model } from '../../test/small-model.ts';
import { initialWeights } from '../model/init.ts';
import { tensor } from '../tensor.ts';
import { Trainer, type TrainerOptions } from './trainer.ts';

vi.mock('#platform', async (original) => {
  const platform = await original<typeof import('#platform')>();
  return { ...platform, openBound: vi.fn(platform.openBound) };
});

const weights = initialWeights(model, 1);
const optimizer = { name: 'sgd', momentum: 0.9, nesterov: true } as const;

const open = (given: Partial<TrainerOptions> = {}, state = {}) =>
  Trainer.open(model, weights, { batch: 2, optimizer, threads: 1, lowering: 'standard', ...given }, state);

test('a step that fails leaves no state until another is set', async () => {
  let fails = true;
  const reduce = async () => {
    if (fails) throw new Error('the other machine is gone');
  };
  const trainer = await open({ reduce, average: 0.5 });
  await expect(trainer.step(0.1)).rejects.toThrow('the other machine is gone');
  const broken = 'A step has failed and may have changed part of the state. Call setState to continue.';
  expect(() => trainer.weights).toThrow(broken);
  await expect(trainer.step(0.1)).rejects.toThrow(broken);
  fails = false;
  trainer.setState({ weights });
  expect(trainer.steps).toBe(0);
  expect(trainer.average).toEqual(trainer.weights);
  await trainer.step(0.1);
  expect(trainer.steps).toBe(1);
  await trainer.dispose();
});

test('nothing reads or sets the state while a step is running', async () => {
  const trainer = await open();
  const step = trainer.step(0.1);
  const message = 'A step is running. Wait for it.';
  expect(() => trainer.setState({ weights })).toThrow(message);
  expect(() => trainer.slots).toThrow(message);
  await expect(trainer.step(0.1)).rejects.toThrow(message);
  await step;
  expect(trainer.steps).toBe(1);
  await trainer.dispose();
});

test('a state that does not fit is refused whole', async () => {
  const trainer = await open();
  const before = trainer.weights;
  const short = new Map([['fc.bias', tensor('float32', [1])]]);
  const changed = new Map([...weights].map(([name, { dims }]) => [name, tensor('float32', [...dims])]));
  const message = '"fc.bias" is [1] in the weights, but the model needs [2].';
  expect(() => trainer.setState({ weights: changed, slots: new Map([['momentum', short]]) })).toThrow(message);
  expect(() => trainer.setState({ weights: changed, average: short })).toThrow(message);
  expect(() => trainer.setState({ weights: new Map() })).toThrow(/^The weights have no "/);
  expect(trainer.weights).toEqual(before);
  await trainer.dispose();
});

test('what cannot be opened leaves no session behind', async () => {
  const { openBound: really } = await vi.importActual<typeof import('#platform')>('#platform');
  let disposals = 0;
  const counted = async (...given: Parameters<typeof openBound>) => {
    const session = await really(...given);
    const dispose = session.dispose.bind(session);
    session.dispose = () => {
      disposals += 1;
      return dispose();
    };
    return session;
  };
  const reduce = async () => {};
  const short = new Map([['momentum', new Map([['fc.bias', tensor('float32', [1])]])]]);
  vi.mocked(openBound).mockImplementation(counted);
  await expect(open({ reduce }, { slots: short })).rejects.toThrow('"fc.bias" is [1]');
  expect(disposals).toBe(2);
  vi.mocked(openBound).mockImplementationOnce(counted).mockRejectedValueOnce(new Error('no memory'));
  await expect(open({ reduce })).rejects.toThrow('no memory');
  expect(disposals).toBe(3);
});
