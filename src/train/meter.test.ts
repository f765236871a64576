import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Meter } from './meter.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it('does not count the first step, which warms up, once there are others', () => {
  const meter = new Meter(8);
  meter.startEpoch();
  const after = (seconds: number) => {
    vi.advanceTimersByTime(1000 * seconds);
    meter.step();
  };
  after(10);
  expect(meter.secondsFor(2, 0)).toBeCloseTo(20, 10);
  after(1);
  expect(meter.imagesPerSecond).toBeCloseTo(8, 10);
  after(3);
  expect(meter.secondsFor(1, 0)).toBeCloseTo(2, 10); // the mean of 1 and 3
  for (let i = 0; i < 200; i++) after(5);
  expect(meter.secondsFor(1, 0)).toBeCloseTo(5, 2);
  expect(meter.sinceStart).toEqual({ seconds: expect.closeTo(1014, 10), images: 203 * 8 });
});
