import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    reporters: ['default', './test/reporter.ts'],
    env: { RESNEXT_CACHE: 'off' }, // what is tested is made anew; tests of the cache have their own
    testTimeout: 60_000,
    maxWorkers: '100%',
  },
});
