/** What a user of a loaded model may do wrong, code by code, and the same done right: statements that the page shows and the test runs. */
export interface RuntimeCase {
  readonly code: string;
  readonly wrong: string;
  readonly right: string;
  /** Another model than the one of most examples; its name is Pair all the same, so that what stands before is. */
  readonly spec?: string;
  /** The last name of the prelude that it can have: the whole where this is absent. */
  readonly upTo?: 'z' | 'pair';
  /** What the examples are given besides the model: a WebGPU, a CUDA driver for tests; and what the page says of it. */
  readonly on?: 'webgpu' | 'webgpu f16' | 'cuda' | 'cuda sm_90' | 'browser';
}

/** The model of all the examples. */
export const spec = `model Pair {
  axis c = 2
  input x[t, c]
  input z[t, c]
  param a[c] = 0.5
  fact a > 0
  state h[t, c] = exp(-a[c]) * h[t-1, c] + x[t, c] * z[t, c]
  output y[t, c] = h[t, c]
}
`;
const inverse = `model Pair {
  axis c = 2
  axis e = c
  input x[t, c]
  input z[t, c]
  param a[c, e] = where(c == e, 1, 0)
  output y[t, c] = sum(e: inverse(c, e: a[c, e]) * x[t, e]) + z[t, c]
}
`;
const ahead = spec.replace('h[t-1, c]', 'h[t+1, c]');
const tripled = spec.replace('y[t, c] = h', 'y[t, c] = 3 * h');
const wide = `model Pair {
  axis c = 2
  axis w = 1000000
  input x[t, c]
  input z[t, c]
  param a[c] = 0.5
  output y[t, w] = sum(c: a[c] * x[t, c] * z[t, c]) * w
}
`;
const scaled = spec.replace('exp(-a[c]) * h[t-1, c] + x[t, c]', '0.5 * h[t-1, c] + a[c] * x[t, c]');
const large = `model Pair {
  axis c = 2
  axis w = 1000000
  input x[t, c]
  input z[t, c]
  param a[c] = 0.5
  state h[t, w] = 0.5 * h[t-1, w] + sum(c: a[c] * x[t, c] * z[t, c]) * w
  output y[t] = max(w: h[t, w])
}
`;
/** Said on the page where an example is given more than its model. */
export const given: Readonly<Record<NonNullable<RuntimeCase['on']>, string>> = {
  webgpu: 'On WebGPU; `gpu` is `navigator.gpu`, or in Node what `create([])` of the package `webgpu` gives, kept in a variable',
  'webgpu f16': 'On WebGPU, compiled with `--storage f16`; `gpu` as above',
  cuda: 'On CUDA, compiled with `--target cuda --arch sm_80`; `driver` is that of a machine with one GPU, an sm_80, and `older` one from before CUDA 11.4',
  'cuda sm_90': 'On CUDA, compiled with `--target cuda --arch sm_90`; `driver` is that of a machine with an sm_80',
  browser: 'In a browser, compiled with `--target cuda`',
};
/** What stands before each. */
const lines = [
  'const weights = { a: { data: Float32Array.of(0.5, 0.25), shape: [2] } };', 'const x = new Float32Array(10 * 2), z = new Float32Array(10 * 2);   // ten steps of two channels',
  'const pair = await Pair.load({ weights });', 'const stream = pair.stream();',
];
export const preludeOf = ({ upTo }: Pick<RuntimeCase, 'upTo'>): string => lines.slice(0, upTo === 'z' ? 2 : upTo === 'pair' ? 3 : 4).join('\n');

const run = 'await pair.run({ x, z });';
const unsorted: readonly RuntimeCase[] = [
  { code: 'SSM5001', wrong: 'await Pair.load({ weights: "nowhere.safetensors" });', right: 'await Pair.load({ weights });' },
  { code: 'SSM5002', wrong: 'await Pair.load({ weights: Uint8Array.of(128, 2, 99) });   // a pickle', right: 'await Pair.load({ weights });' },
  { code: 'SSM5003', wrong: 'writeSafetensors({ a: { data: new Float32Array(3), shape: [2] } });', right: 'writeSafetensors({ a: { data: new Float32Array(2), shape: [2] } });' },
  { code: 'SSM5004', wrong: 'await Pair.load({ weights: { b: weights.a } });', right: 'await Pair.load({ weights: { a: weights.a } });' },
  { code: 'SSM5005', wrong: 'await Pair.load({ weights: { a: { data: Float32Array.of(0.5, -1), shape: [2] } } });', right: 'await Pair.load({ weights: { a: { data: Float32Array.of(0.5, 1), shape: [2] } } });' },
  {
    code: 'SSM5006', wrong: `const file = stored("BOOL", 2);                                    // two elements of a byte
readSafetensors(file).tensor("a").toFloat32();`, right: `const file = stored("U8", 2);
readSafetensors(file).tensor("a").toFloat32();`,
  },
  { code: 'SSM5007', wrong: 'readSafetensors(writeSafetensors(weights)).tensor("b");', right: 'readSafetensors(writeSafetensors(weights)).tensor("a");' },
  {
    code: 'SSM5008', spec: inverse, upTo: 'z', wrong: 'await Pair.load({ weights: { a: { data: Float32Array.of(1, 2, 2, 4), shape: [2, 2] } } });', right: 'await Pair.load({ weights: { a: { data: Float32Array.of(1, 2, 2, 5), shape: [2, 2] } } });',
  },
  {
    code: 'SSM5009', spec: scaled, on: 'webgpu f16', wrong: 'await Pair.load({ weights: { a: { data: Float32Array.of(1e-3, 1e5), shape: [2] } }, device: "webgpu", gpu });',
    right: 'await Pair.load({ weights: { a: { data: Float32Array.of(1e-3, 1e4), shape: [2] } }, device: "webgpu", gpu });',
  },
  { code: 'SSM5101', wrong: 'await pair.run({ x });', right: run },
  { code: 'SSM5102', wrong: 'await pair.run({ x, z, w: x });', right: run },
  { code: 'SSM5103', wrong: 'await pair.run({ x: [...x], z });', right: 'await pair.run({ x: Float32Array.from([...x]), z });' },
  { code: 'SSM5104', wrong: 'await pair.run({ x: { data: x, shape: [10, 2] }, z });', right: 'await pair.run({ x: { data: x, shape: [1, 10, 2] }, z });' },
  { code: 'SSM5105', wrong: 'await pair.run({ x: new Float32Array(7), z });', right: run },
  { code: 'SSM5106', wrong: 'await pair.run({ x, z: z.subarray(0, 8) });', right: 'await pair.run({ x: x.subarray(0, 8), z: z.subarray(0, 8) });' },
  { code: 'SSM5107', wrong: 'await pair.run({ x: new Float32Array(0), z: new Float32Array(0) });', right: run },
  { code: 'SSM5108', wrong: 'await pair.run({ x, z }, { lengths: [11] });', right: 'await pair.run({ x, z }, { lengths: [7] });' },
  { code: 'SSM5109', wrong: 'const strict = await Pair.load({ weights, finite: true });\nawait strict.run({ x: x.map(() => NaN), z });', right: 'const strict = await Pair.load({ weights, finite: true });\nawait strict.run({ x, z });' },
  { code: 'SSM5110', spec: wide, wrong: 'const many = new Float32Array(2200 * 2);\nawait pair.run({ x: many, z: many });                               // 2200 steps of a million', right: run },
  {
    code: 'SSM5111', on: 'webgpu f16', wrong: 'const half = await Pair.load({ weights, device: "webgpu", gpu });\nawait half.run({ x: x.fill(7e4), z });', right: 'const half = await Pair.load({ weights, device: "webgpu", gpu });\nawait half.run({ x: x.fill(6e4), z });',
  },
  { code: 'SSM5201', wrong: 'await loadModel(manifest, { wasm: "nowhere.wasm" }, { weights });', right: 'await loadModel(manifest, { wasm: kernels }, { weights });' },
  { code: 'SSM5202', wrong: 'await loadModel(manifest, { wasm: kernels.subarray(0, 100) }, { weights });', right: 'await loadModel(manifest, { wasm: kernels }, { weights });' },
  { code: 'SSM5203', wrong: 'await loadModel({ ...manifest, format: 2 }, { wasm: kernels }, { weights });', right: 'await loadModel(manifest, { wasm: kernels }, { weights });' },
  { code: 'SSM5204', wrong: 'await Pair.load({ weights, device: "cuda" });', right: 'await Pair.load({ weights, device: "wasm" });' },
  {
    code: 'SSM5205', spec: large, wrong: 'const rows = { data: new Float32Array(2000 * 2), shape: [2000, 1, 2] };   // states of 4 MB each\nawait pair.stream({ batch: 2000 }).push({ x: rows, z: rows });',
    right: 'const rows = { data: new Float32Array(2 * 2), shape: [2, 1, 2] };\nawait pair.stream({ batch: 2 }).push({ x: rows, z: rows });',
  },
  { code: 'SSM5206', wrong: 'pair.stream({ batch: 0 });', right: 'pair.stream({ batch: 2 });' },
  {
    code: 'SSM5207', on: 'webgpu', wrong: 'const none = { requestAdapter: async () => null };                  // a browser without a graphics device\nawait Pair.load({ weights, device: "webgpu", gpu: none });',
    right: 'const none = { requestAdapter: async () => null };\nawait Pair.load({ weights, device: "auto", gpu: none });              // on wasm; `device.passedOver` says why',
  },
  { code: 'SSM5301', spec: ahead, upTo: 'pair', wrong: 'pair.stream();                                                      // the state reads t+1', right: run },
  { code: 'SSM5302', wrong: 'stream.restore(new Uint8Array(4));', right: 'stream.restore(stream.save());' },
  { code: 'SSM5303', wrong: 'await stream.push({ x, z });\nstream.restore(stream.save().subarray(0, -4));', right: 'await stream.push({ x, z });\nstream.restore(stream.save());' },
  { code: 'SSM5304', spec: tripled, wrong: 'pair.stream().restore(saved);                                       // of the model before a change of its spec', right: 'pair.stream().restore(stream.save());' },
  { code: 'SSM5305', wrong: 'pair.stream({ batch: 2 }).restore(stream.save());', right: 'pair.stream({ batch: 1 }).restore(stream.save());' },
  { code: 'SSM5401', wrong: 'pair.dispose();\nawait pair.run({ x, z });', right: 'await pair.run({ x, z });\npair.dispose();' },
  {
    code: 'SSM5306', on: 'webgpu', wrong: 'const live = (await Pair.load({ weights, device: "webgpu", gpu })).stream();\nconst pushed = live.push({ x, z });\ntry {\n  live.save();\n} finally {\n  await pushed;\n}',
    right: 'const live = (await Pair.load({ weights, device: "webgpu", gpu })).stream();\nawait live.push({ x, z });\nlive.save();',
  },
  {
    code: 'SSM5307', on: 'webgpu', wrong: `const device = await (await gpu.requestAdapter()).requestDevice();
const live = (await Pair.load({ weights, device })).stream();
await live.push({ x, z });
device.destroy();                                                   // your own: no other is asked for
await live.push({ x, z });`,
    right: `const device = await (await gpu.requestAdapter()).requestDevice();
const live = (await Pair.load({ weights, device })).stream();
await live.push({ x, z });
await live.push({ x, z });
device.destroy();`,
  },
  {
    code: 'SSM5501', on: 'webgpu', wrong: `const device = await (await gpu.requestAdapter()).requestDevice();
const live = await Pair.load({ weights, device });
const answer = live.run({ x, z });
device.destroy();
await answer;`,
    right: `const device = await (await gpu.requestAdapter()).requestDevice();
const live = await Pair.load({ weights, device });
await live.run({ x, z });
device.destroy();`,
  },
  {
    code: 'SSM5502', on: 'webgpu', wrong: `const live = (await Pair.load({ weights, device: "webgpu", gpu })).stream({ batch: 2 ** 25 });
const rows = { data: new Float32Array(2 ** 26), shape: [2 ** 25, 1, 2] };   // states of 268 MB
await live.push({ x: rows, z: rows });`,
    right: `const live = (await Pair.load({ weights, device: "webgpu", gpu })).stream({ batch: 2 ** 10 });
const rows = { data: new Float32Array(2 ** 11), shape: [2 ** 10, 1, 2] };
await live.push({ x: rows, z: rows });`,
  },
  {
    code: 'SSM5503', on: 'webgpu', wrong: `const device = await (await gpu.requestAdapter()).requestDevice();
const live = await Pair.load({ weights, device });
device.createBuffer({ size: 16, usage: 0 });                        // your own fault, on a device that is shared
await device.queue.onSubmittedWorkDone();
await live.run({ x, z });`,
    right: `const device = await (await gpu.requestAdapter()).requestDevice();
const live = await Pair.load({ weights, device });
device.createBuffer({ size: 16, usage: 8 });
await device.queue.onSubmittedWorkDone();
await live.run({ x, z });`,
  },
  {
    code: 'SSM5504', on: 'webgpu', wrong: `const device = await (await gpu.requestAdapter()).requestDevice();
const live = await Pair.load({ weights, device });
device.destroy();
await device.lost;
await live.run({ x, z });`,
    right: `const device = await (await gpu.requestAdapter()).requestDevice();
const live = await Pair.load({ weights, device });
await live.run({ x, z });`,
  },
  {
    code: 'SSM5505', on: 'webgpu', wrong: `const changed = { ...plan, wgsl: { text: plan.wgsl.text.replaceAll(" + ", " - ") } };   // kernels that are not the compiler's
await loadModel(manifest, { wasm: kernels, devices: [webgpu(changed)] }, { weights, device: "webgpu", gpu });`,
    right: 'await loadModel(manifest, { wasm: kernels, devices: [webgpu(plan)] }, { weights, device: "webgpu", gpu });',
  },
  { code: 'SSM5510', on: 'browser', wrong: 'await Pair.load({ weights, device: "cuda" });', right: 'await Pair.load({ weights, device: "auto" });' },
  { code: 'SSM5511', on: 'cuda', wrong: 'await Pair.load({ weights, device: "cuda", cuda: { driver: "/nowhere/libcuda.so.1" } });', right: 'await Pair.load({ weights, device: "auto", cuda: { driver: "/nowhere/libcuda.so.1" } });' },
  { code: 'SSM5512', on: 'cuda', wrong: 'await Pair.load({ weights, device: "cuda", cuda: { driver, device: 7 } });', right: 'await Pair.load({ weights, device: "cuda", cuda: { driver, device: 0 } });' },
  { code: 'SSM5513', on: 'cuda', wrong: 'await Pair.load({ weights, device: "cuda", cuda: { driver: older } });', right: 'await Pair.load({ weights, device: "cuda", cuda: { driver } });' },
  {
    code: 'SSM5514', on: 'cuda sm_90', wrong: 'await Pair.load({ weights, device: "cuda", cuda: { driver, nvrtc: "/nowhere/libnvrtc.so" } });',
    right: 'await Pair.load({ weights, device: "auto", cuda: { driver, nvrtc: "/nowhere/libnvrtc.so" } });   // on wasm; or compile with `--arch sm_80` too',
  },
];
export const runtimeCases = unsorted.toSorted((a, b) => (a.code < b.code ? -1 : 1));
