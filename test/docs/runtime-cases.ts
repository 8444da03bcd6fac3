/** What a user of a loaded model may do wrong, code by code, and the same done right: statements that the page shows and the test runs. */
export interface RuntimeCase {
  readonly code: string;
  readonly wrong: string;
  readonly right: string;
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
/** What stands before each. */
export const prelude = `const weights = { a: { data: Float32Array.of(0.5, 0.25), shape: [2] } };
const x = new Float32Array(10 * 2), z = new Float32Array(10 * 2);   // ten steps of two channels
const pair = await Pair.load({ weights });
const stream = pair.stream();`;

const run = 'await pair.run({ x, z });';
export const runtimeCases: readonly RuntimeCase[] = [
  { code: 'SSM5001', wrong: 'await Pair.load({ weights: "nowhere.safetensors" });', right: 'await Pair.load({ weights });' },
  { code: 'SSM5002', wrong: 'await Pair.load({ weights: Uint8Array.of(128, 2, 99) });   // a pickle', right: 'await Pair.load({ weights });' },
  { code: 'SSM5004', wrong: 'await Pair.load({ weights: { b: weights.a } });', right: 'await Pair.load({ weights: { a: weights.a } });' },
  { code: 'SSM5005', wrong: 'await Pair.load({ weights: { a: { data: Float32Array.of(0.5, -1), shape: [2] } } });', right: 'await Pair.load({ weights: { a: { data: Float32Array.of(0.5, 1), shape: [2] } } });' },
  { code: 'SSM5101', wrong: 'await pair.run({ x });', right: run },
  { code: 'SSM5102', wrong: 'await pair.run({ x, z, w: x });', right: run },
  { code: 'SSM5103', wrong: 'await pair.run({ x: [...x], z });', right: 'await pair.run({ x: Float32Array.from([...x]), z });' },
  { code: 'SSM5104', wrong: 'await pair.run({ x: { data: x, shape: [10, 2] }, z });', right: 'await pair.run({ x: { data: x, shape: [1, 10, 2] }, z });' },
  { code: 'SSM5105', wrong: 'await pair.run({ x: new Float32Array(7), z });', right: run },
  { code: 'SSM5106', wrong: 'await pair.run({ x, z: z.subarray(0, 8) });', right: 'await pair.run({ x: x.subarray(0, 8), z: z.subarray(0, 8) });' },
  { code: 'SSM5107', wrong: 'await pair.run({ x: new Float32Array(0), z: new Float32Array(0) });', right: run },
  { code: 'SSM5108', wrong: 'await pair.run({ x, z }, { lengths: [11] });', right: 'await pair.run({ x, z }, { lengths: [7] });' },
  { code: 'SSM5109', wrong: 'const strict = await Pair.load({ weights, finite: true });\nawait strict.run({ x: x.map(() => NaN), z });', right: 'const strict = await Pair.load({ weights, finite: true });\nawait strict.run({ x, z });' },
  { code: 'SSM5204', wrong: 'await Pair.load({ weights, device: "cuda" });', right: 'await Pair.load({ weights, device: "wasm" });' },
  { code: 'SSM5206', wrong: 'pair.stream({ batch: 0 });', right: 'pair.stream({ batch: 2 });' },
  { code: 'SSM5302', wrong: 'stream.restore(new Uint8Array(4));', right: 'stream.restore(stream.save());' },
  { code: 'SSM5303', wrong: 'await stream.push({ x, z });\nstream.restore(stream.save().subarray(0, -4));', right: 'await stream.push({ x, z });\nstream.restore(stream.save());' },
  { code: 'SSM5305', wrong: 'pair.stream({ batch: 2 }).restore(stream.save());', right: 'pair.stream({ batch: 1 }).restore(stream.save());' },
  { code: 'SSM5401', wrong: 'pair.dispose();\nawait pair.run({ x, z });', right: 'await pair.run({ x, z });\npair.dispose();' },
];
