/** The trained models of examples/mex: every held-out window of the parity files, and the arrays after each layer. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { check } from '../../src/check/index.js';
import { Diagnostics } from '../../src/diagnostics/diagnostic.js';
import { interpret, type Tensor } from '../../src/interpreter/interpret.js';
import { Builder } from '../../src/ir/builder.js';
import { readSafetensors } from '../../src/runtime/index.js';
import { std } from '../random/agree.js';
import { element } from './program-maker.js';

const folder = new URL('../../examples/mex/', import.meta.url);
function tensors(file: string): Map<string, Tensor> {
  const opened = readSafetensors(new Uint8Array(readFileSync(new URL(`data/${file}`, folder))));
  return new Map([...opened.names].map((name) => [name, { shape: opened.tensor(name).shape, data: opened.tensor(name).toFloat64() }]));
}
/** max|got − want| / max|want| */
function error(got: readonly number[], want: Float64Array): number {
  const largest = want.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  return got.reduce((a, b, k) => Math.max(a, Math.abs(b - (want[k] ?? Number.NaN))), 0) / largest;
}

describe.each([['coupled', 'mex'], ['independent', 'mex-independent']])('the %s model', (kind, spec) => {
  const text = readFileSync(new URL(`${spec}.ssm`, folder), 'utf8');
  const { program } = check('spec.ssm', { std, read: (p) => (p === 'spec.ssm' ? text : undefined) }, new Builder(), new Diagnostics());
  if (!program) throw new Error(`${spec}.ssm does not check`);
  const parity = tensors(`parity-${kind}.safetensors`);
  const members = ['depth', 'pressure', 'accel'];
  const inputs = new Map(members.map((m) => [m, parity.get(`input.${m}`)!]));
  const { outputs, traces } = interpret(program, tensors(`${kind}.safetensors`), inputs, { trace: ['layers.0.x', 'layers.1.x'] });

  it('gives the logits of plain float64 loops for every window', () => {
    const { shape, data } = parity.get('logits_f64')!;
    expect(outputs.get('logits')!.shape).toEqual(shape);
    expect(error([...outputs.get('logits')!.data], data)).toBeLessThan(1e-13);
  });
  it.each([0, 1])('holds after layer %i what they hold, for the first window', (layer) => {
    members.forEach((name, m) => {
      const { shape, data } = parity.get(`trace.layer${layer}.${name}`)!;
      const [steps, width] = shape.slice(-2) as [number, number];
      const got = Array.from({ length: steps * width }, (_, k) => element(traces.get(`layers.${layer}.x`)!, 0, Math.floor(k / width), m, k % width));
      expect(got).toHaveLength(data.length);
      expect(error(got, data)).toBeLessThan(1e-13);
    });
  });
});
