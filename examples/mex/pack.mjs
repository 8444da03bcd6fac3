// Packs the held-out windows of the MEx recordings for the demo: node pack.mjs mex.safetensors.gz data/windows.safetensors.br
//
// Takes every window of 64 frames, at stride 64 from a recording's first frame, of the test split's recordings, in the packing's own
// integers, channel-major as they were: [features, windows · 64]. Deterministic for a given version of Brotli.
import { readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gunzipSync } from 'node:zlib';
import { readSafetensors } from '../../dist/src/runtime/index.js';

const [source, target] = process.argv.slice(2);
const file = readSafetensors(new Uint8Array(gunzipSync(readFileSync(source))));
const numbers = (name) => file.tensor(name).toFloat64();
const [start, length, label, split] = ['rec_start', 'rec_length', 'rec_label', 'rec_split'].map(numbers);
const windows = [];
split.forEach((s, r) => {
  for (let k = 0; s === 2 && k < Math.floor(length[r] / 64); k++) windows.push({ from: start[r] + 64 * k, label: label[r] });
});
const tensors = { accel: { dtype: 'I16', features: 6, make: Int16Array }, depth: { dtype: 'U8', features: 192, make: Uint8Array }, pressure: { dtype: 'U8', features: 128, make: Uint8Array } };
const entries = {};
const parts = [];
let at = 0;
const add = (name, dtype, shape, data) => {
  entries[name] = { dtype, shape, data_offsets: [at, at + data.byteLength] };
  at += data.byteLength;
  parts.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
};
for (const [name, { dtype, features, make }] of Object.entries(tensors)) {
  const all = numbers(name);
  const frames = all.length / features;
  const data = new make(features * windows.length * 64);
  for (let c = 0, to = 0; c < features; c++) for (const w of windows) for (let t = 0; t < 64; t++) data[to++] = all[c * frames + w.from + t];
  add(name, dtype, [features, windows.length * 64], data);
}
add('labels', 'U8', [windows.length], Uint8Array.from(windows, (w) => w.label));
let head = JSON.stringify(entries);
head += ' '.repeat(-head.length & 7);
const size = Buffer.alloc(8);
size.writeBigUInt64LE(BigInt(head.length));
const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 } };
const packed = brotliCompressSync(Buffer.concat([size, Buffer.from(head), ...parts]), options);
writeFileSync(target, packed);
console.log(`${windows.length} windows, ${packed.length} bytes`);
