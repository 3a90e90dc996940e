import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Vite leaves .cts files untransformed unless it is told.
  esbuild: { include: /\.(?:[cm]?ts|[jt]sx)$/ },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/install/**', 'test/load/**'],
    pool: 'forks',
    // Many tests wait for other processes: two at a time are faster on two cores than the one that would be left.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // For what hangs: what waits has deadlines of its own.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
