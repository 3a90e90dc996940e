import { defineConfig } from 'vitest/config';

/** Apart from `npm test`: these tests put servers under load, and measure what it costs them. */
export default defineConfig({
  // Vite leaves .cts files untransformed unless it is told.
  esbuild: { include: /\.(?:[cm]?ts|[jt]sx)$/ },
  test: {
    include: ['test/load/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 200_000,
    hookTimeout: 200_000,
  },
});
