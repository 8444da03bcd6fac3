import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile, type Compilation } from '../../src/compile.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { normwise } from '../../src/cli/tensors.js';
import { loadModel, readSafetensors, type Model } from '../../src/runtime/index.js';
import { std } from '../random/agree.js';

const data = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../../examples/mex/data/${name}`, import.meta.url)));
const spec = (name: string): string => readFileSync(new URL(`../../examples/mex/${name}.ssm`, import.meta.url), 'utf8');
const modalities = ['depth', 'pressure', 'accel'] as const;
const widths = { depth: 192, pressure: 128, accel: 6 } as const;

describe.each([['coupled', 'mex'], ['independent', 'mex-independent']] as const)('examples/mex, %s', (kind, name) => {
  const parity = readSafetensors(data(`parity-${kind}.safetensors`));
  const logits = parity.tensor('logits_f64').toFloat64();
  const inputs = Object.fromEntries(modalities.map((m) => { const t = parity.tensor(`input.${m}`); return [m, { data: t.toFloat32(), shape: t.shape }]; }));
  const dataOf = (m: (typeof modalities)[number]): Float32Array => parity.tensor(`input.${m}`).toFloat32();
  let compiled: Compilation;
  let model: Model;
  beforeAll(async () => {
    compiled = compile('spec.ssm', { std, read: (p) => (p === 'spec.ssm' ? spec(name) : undefined) }, { specHash: 'mex' });
    if (!compiled.module) throw new Error(compiled.diagnostics.map((d) => d.text).join('\n'));
    model = await loadModel(compiled.module.manifest, { wasm: compiled.module.wasm }, { weights: data(`${kind}.safetensors`) });
  });
  const run = async (m: Model, from: object, options = {}): Promise<Float32Array> => ((await m.run(from as never, options)) as unknown as { logits: { data: Float32Array } }).logits.data;

  it('gives the logits of plain float64 loops within 1e-5', async () => {
    expect(normwise(await run(model, inputs), logits)).toBeLessThan(1e-5);
  });
  it('gives them within 1e-9 in the interpreter, and the traces of the first window', () => {
    const file = readSafetensors(data(`${kind}.safetensors`));
    const program = compiled.program;
    if (!program) throw new Error('no program');
    const weights = new Map(program.definitions.flatMap((d) => (d.kind === 'param' ? d.pieces.map((p) => [p.name, { shape: p.shape, data: file.tensor(p.name).toFloat64() }] as const) : [])));
    const given = new Map(modalities.map((m) => { const t = parity.tensor(`input.${m}`); return [m as string, { shape: [1, 64, t.shape[2] as number], data: t.toFloat64().slice(0, 64 * (t.shape[2] as number)) }]; }));
    const result = interpret(program, weights, given, { trace: ['layers.0.x', 'layers.1.x'] });
    expect(normwise(result.outputs.get('logits')?.data ?? [], logits.slice(0, 7))).toBeLessThan(1e-9);
    for (const layer of [0, 1]) {
      const traced = result.traces.get(`layers.${layer}.x`);
      modalities.forEach((m, k) => {
        const want = parity.tensor(`trace.layer${layer}.${m}`).toFloat64();
        const got = Float64Array.from(want, (_, i) => traced?.data[(Math.floor(i / 32) * 3 + k) * 32 + (i % 32)] ?? NaN);
        expect(normwise(got, want)).toBeLessThan(1e-9);
      });
    }
  });
  it('gives the same bits from a stream, however it is fed, and for a row alone', async () => {
    const whole = await run(model, inputs);
    for (const pieces of [[64], Array<number>(64).fill(1), [7, 7, 7, 7, 7, 7, 7, 7, 7, 1]]) {
      const stream = model.stream();
      let at = 0;
      let last = new Float32Array();
      for (const steps of pieces) {
        const piece = Object.fromEntries(modalities.map((m) => { const f = widths[m]; return [m, dataOf(m).slice(at * f, (at + steps) * f)]; }));
        last = ((await stream.push(piece)) as unknown as { logits: { data: Float32Array<ArrayBuffer> } }).logits.data;
        at += steps;
        if (at === 21) {
          const saved = stream.save();
          stream.reset();
          stream.restore(saved);
        }
      }
      expect([...last]).toEqual([...whole.subarray(0, 7)]);
    }
    const row = Object.fromEntries(modalities.map((m) => { const f = widths[m]; return [m, dataOf(m).slice(64 * f, 128 * f)]; }));
    expect([...(await run(model, row))]).toEqual([...whole.subarray(7, 14)]);
  });
  it('ends each row at its own length', async () => {
    const rows = parity.tensor('input.depth').shape[0] as number;
    const lengths = Array.from({ length: rows }, (_, b) => 1 + ((b * 29) % 64));
    const padded = await run(model, inputs, { lengths });
    for (let b = 0; b < rows; b++) {
      const n = lengths[b] as number;
      const alone = Object.fromEntries(modalities.map((m) => { const f = widths[m]; return [m, dataOf(m).slice(b * 64 * f, (b * 64 + n) * f)]; }));
      expect([...padded.subarray(b * 7, b * 7 + 7)]).toEqual([...(await run(model, alone))]);
    }
  });
});
