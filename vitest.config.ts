import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Values in, values out, and nothing left in the process. */
const core = ['test/core/**/*.test.ts', 'test/conformance/**/*.test.ts'];
/** These put a module of their own in the place of another, for the whole process. */
const mocking = ['test/core/frames/log.test.ts', 'test/core/{prepared,shared-random}.test.ts'];
/** Beside peers of other makes, in the examples and under the load generator: what takes longest. */
const outside = ['test/{bench,examples,interop}/**/*.test.ts', 'test/cli/load/**/*.test.ts'];

export default defineConfig({
  // Vite leaves .cts files untransformed unless it is told.
  esbuild: { include: /\.(?:[cm]?ts|[jt]sx)$/ },
  test: {
    pool: 'forks',
    // Many tests wait for other processes, or for what happens elsewhere: one more than there are processors.
    maxWorkers: availableParallelism() + 1,
    // For what hangs: what waits has deadlines of its own.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      // One process serves many files, which takes half the time.
      { extends: true, test: { name: 'core', include: core, exclude: mocking, isolate: false } },
      { extends: true, test: { name: 'core-mocked', include: mocking } },
      {
        extends: true,
        test: {
          name: 'glue',
          include: ['test/**/*.test.ts'],
          exclude: [...core, ...outside, 'test/install/**', 'test/load/**'],
        },
      },
      { extends: true, test: { name: 'outside', include: outside } },
    ],
  },
});
