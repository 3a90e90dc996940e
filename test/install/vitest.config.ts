import { defineConfig } from 'vitest/config';

/** Apart from `npm test`: these tests install runtimes from the registry. */
export default defineConfig({
  test: {
    include: ['test/install/**/*.test.ts'],
    globalSetup: 'test/install/setup.ts',
    pool: 'forks',
    // Programs that keep a processor busy.
    maxConcurrency: 2,
    testTimeout: 120_000,
    // A runtime is 100 MB to fetch.
    hookTimeout: 300_000,
  },
});
