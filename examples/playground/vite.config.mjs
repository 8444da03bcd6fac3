// `npm run playground` serves it; `npm run playground:build` writes dist/playground, which any file server can serve, at any path.
import { fileURLToPath } from 'node:url';
import { recordings } from './recordings.mjs';

export default {
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  build: { outDir: fileURLToPath(new URL('../../dist/playground', import.meta.url)), emptyOutDir: true, target: 'es2022', chunkSizeWarningLimit: 1500 },
  worker: { format: 'es' },
  server: { fs: { allow: [fileURLToPath(new URL('../..', import.meta.url))] } },
  plugins: [recordings()],
};
