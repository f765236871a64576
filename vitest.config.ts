import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'web/**/*.test.ts'],
    reporters: ['default', './test/reporter.ts'],
    // Tests use no cached graphs and ask no server; tests of the caches set their own.
    env: { RESNEXT_CACHE: 'off', HF_HUB_OFFLINE: '1' },
    testTimeout: 60_000,
    maxWorkers: '100%',
  },
});
