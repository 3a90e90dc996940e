import { defineConfig } from 'vitest/config';

/** Apart from `npm test`: load from other processes, which wants the machine for itself. */
export default defineConfig({
  test: {
    include: ['test/load/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
