import { defineConfig } from 'vitest/config';

/** What `npm run test:quick` leaves out: tests of the whole package, of other processes, and of the largest models. */
const slow = ['bench/**', 'checkpoint/**', 'cli/cli', 'cli/package', 'cli/scaffold', 'cuda/**', 'docs/snippets', 'e2e/examples', 'editor/**', 'explain/gpu', 'explain/html', 'language-service/damage', 'lsp/**', 'passes/convolution', 'passes/convolution-kernels', 'passes/normal-form', 'passes/stability', 'playground/**', 'plugin/**', 'systems/**', 'wasm/binaryen', 'wasm/long', 'wasm/relaxed', 'webgpu/**'].map((f) => `test/${f}${f.endsWith('*') ? '' : '.test.ts'}`);

export default defineConfig({
  test: { include: ['test/**/*.test.ts'], exclude: process.env['QUICK'] === undefined ? [] : slow, testTimeout: 120_000, hookTimeout: 300_000, maxWorkers: 2 },
});
