// A vite plugin: every tenth of the held-out windows of examples/mex as a safetensors file, since browsers don't read Brotli.
import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';

const STEP = 10;
const STEPS = 64;

/** Stored [features, windows · 64]; here [windows, 64, features], so that a window lies together. */
export function packRecordings() {
  const all = brotliDecompressSync(readFileSync(new URL('../mex/data/windows.safetensors.br', import.meta.url)));
  const length = Number(all.readBigUInt64LE(0));
  const header = JSON.parse(all.toString('utf8', 8, 8 + length));
  const bytesOf = (name) => all.subarray(8 + length + header[name].data_offsets[0], 8 + length + header[name].data_offsets[1]);
  const count = bytesOf('labels').length;
  const kept = Array.from({ length: Math.ceil(count / STEP) }, (_, k) => k * STEP);
  const parts = [['labels', 'U8', [kept.length], Buffer.from(kept.map((w) => bytesOf('labels')[w]))]];
  for (const name of ['depth', 'pressure', 'accel']) {
    const { dtype, shape } = header[name];
    const width = dtype === 'I16' ? 2 : 1;
    const from = bytesOf(name);
    const features = shape[0];
    const columns = from.length / features / width;
    const to = Buffer.alloc(kept.length * STEPS * features * width);
    kept.forEach((w, k) => {
      for (let t = 0; t < STEPS; t++) for (let f = 0; f < features; f++) from.copy(to, ((k * STEPS + t) * features + f) * width, (f * columns + w * STEPS + t) * width, (f * columns + w * STEPS + t + 1) * width);
    });
    parts.push([name, dtype, [kept.length, STEPS, features], to]);
  }
  let at = 0;
  const entries = parts.map(([name, dtype, shape, data]) => [name, { dtype, shape, data_offsets: [at, (at += data.length)] }]);
  const text = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([size, text, ...parts.map(([, , , data]) => data)]);
}

export function recordings() {
  let serving = false;
  return {
    name: 'recordings',
    configResolved(config) {
      serving = config.command === 'serve';
    },
    resolveId: (id) => (id === 'virtual:recordings' ? '\0recordings' : undefined),
    load(id) {
      if (id !== '\0recordings') return undefined;
      const source = packRecordings();
      if (serving) return `export default "data:application/octet-stream;base64,${source.toString('base64')}";`;
      return `export default new URL(import.meta.ROLLUP_FILE_URL_${this.emitFile({ type: 'asset', name: 'recordings.safetensors', source })}, import.meta.url).href;`;
    },
  };
}
