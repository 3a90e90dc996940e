import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Vite leaves .cts files untransformed unless it is told.
  esbuild: { include: /\.(?:[cm]?ts|[jt]sx)$/ },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/install/**'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
