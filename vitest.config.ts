import { defineConfig } from 'vitest/config';

/** What `npm run test:quick` leaves out: tests of the whole package, of other processes, and of the largest models. */
const slow = ['bench/**', 'cli/cli', 'cli/package', 'cuda/**', 'e2e/examples', 'passes/stability', 'systems/long', 'systems/table', 'plugin/**', 'wasm/binaryen', 'wasm/long', 'wasm/relaxed', 'webgpu/browser', 'webgpu/loss', 'webgpu/numbers', 'webgpu/random', 'webgpu/subgroups'].map((f) => `test/${f}${f.endsWith('*') ? '' : '.test.ts'}`);

export default defineConfig({
  test: { include: ['test/**/*.test.ts'], exclude: process.env['QUICK'] === undefined ? [] : slow, testTimeout: 120_000, hookTimeout: 300_000, maxWorkers: 2 },
});
