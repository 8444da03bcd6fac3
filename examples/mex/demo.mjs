// Compiles mex.ssm, binds the trained weights and classifies held-out recordings: `npm run demo`.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { compile } from '../../dist/src/index.js';
import { explain } from '../../dist/src/explain/explain.js';
import { loadModel, readSafetensors } from '../../dist/src/runtime/index.js';

const here = new URL('.', import.meta.url);
const labels = ['knee-rolling', 'bridging', 'pelvic-tilt', 'clam', 'extension-in-lying', 'prone-punches', 'superman'];

const folder = new URL('../../grammar/std/', here);
const std = new Map(readdirSync(folder).filter((f) => f.endsWith('.ssm')).map((f) => [`std/${f}`, readFileSync(new URL(f, folder), 'utf8')]));
const text = readFileSync(new URL('mex.ssm', here), 'utf8');
const started = performance.now();
const { module, diagnostics } = compile('mex.ssm', { std, read: (p) => (p === 'mex.ssm' ? text : undefined) }, { specHash: createHash('sha256').update(text).digest('hex') });
if (!module) throw new Error(diagnostics.map((d) => d.text).join('\n'));
const compiled = performance.now() - started;

const model = await loadModel(module.manifest, { wasm: module.wasm }, { weights: new URL('data/coupled.safetensors', here) });
const file = readSafetensors(new Uint8Array(brotliDecompressSync(readFileSync(new URL('data/windows.safetensors.br', here)))));
const raw = Object.fromEntries(['depth', 'pressure', 'accel', 'labels'].map((n) => [n, file.tensor(n)]));
const wanted = raw.labels.toFloat64();
const count = wanted.length;

// The packing's integers in the model's units, in float32 operations.
const f = Math.fround;
const units = { depth: (v) => f(f(v * f(0.003)) + f(0.235)), pressure: (v) => f(v / 255), accel: (v) => f(v / 4000) };
const features = { depth: 192, pressure: 128, accel: 6 };
// Stored [features, frames]; the model takes [frames, features].
const inputs = Object.fromEntries(Object.entries(units).map(([n, unit]) => {
  const stored = raw[n].toFloat64();
  const wide = features[n];
  const frames = stored.length / wide;
  return [n, Float32Array.from(stored, (_, k) => unit(stored[(k % wide) * frames + Math.floor(k / wide)]))];
}));

const confusion = labels.map(() => labels.map(() => 0));
let right = 0;
let busy = 0;
const step = 10;
for (let at = 0; at < count; at += step) {
  const batch = Math.min(step, count - at);
  const slice = Object.fromEntries(Object.entries(inputs).map(([n, data]) => [n, { data: data.subarray(at * 64 * features[n], (at + batch) * 64 * features[n]), shape: [batch, 64, features[n]] }]));
  const begun = performance.now();
  const { logits } = await model.run(slice);
  busy += performance.now() - begun;
  for (let b = 0; b < batch; b++) {
    const row = logits.data.subarray(b * 7, b * 7 + 7);
    const guess = row.indexOf(Math.max(...row));
    const label = wanted[at + b];
    confusion[label][guess]++;
    if (guess === label) right++;
  }
  const done = Math.round((30 * (at + batch)) / count);
  if (process.stderr.isTTY) process.stderr.write(`\r[${'#'.repeat(done)}${'.'.repeat(30 - done)}] ${at + batch} of ${count} windows`);
}
if (process.stderr.isTTY) process.stderr.write('\n');

console.log(`accuracy ${(right / count).toFixed(3)} (${right} of ${count} held-out windows of 6.4 s)\n`);
const wide = Math.max(...labels.map((l) => l.length));
console.log(`${'is \\ taken for'.padEnd(wide)}  ${labels.map((_, k) => `${k}`.padStart(4)).join('')}`);
confusion.forEach((row, k) => console.log(`${labels[k].padEnd(wide)} ${k}${row.map((n) => (n === 0 ? '.' : `${n}`).padStart(4)).join('')}`));
console.log(`\n${(busy / count).toFixed(2)} ms per window on ${model.device.name}\n`);
const e = explain(module, { batch: 1, length: 64 });
const scans = e.stages.filter((s) => s.scans);
console.log(`compiled in ${compiled.toFixed(0)} ms: ${e.stages.length} stages, ${e.wasmBytes} bytes of WebAssembly`);
console.log(`${scans.reduce((n, s) => n + s.scans.chains, 0)} coupled chains became ${scans.reduce((n, s) => n + s.scans.run, 0)} scans; no state reaches memory`);
console.log(`proved: ${module.stability.map((s) => `${s.states[0].split('#')[0]} ${s.verdict} (bound ${s.bound})`).join(', ')}`);
