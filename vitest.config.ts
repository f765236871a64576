import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    reporters: ['default', './test/reporter.ts'],
    // What is tested is made anew and asks no server; tests of the caches have their own.
    env: { RESNEXT_CACHE: 'off', HF_HUB_OFFLINE: '1' },
    testTimeout: 60_000,
    maxWorkers: '100%',
  },
});
