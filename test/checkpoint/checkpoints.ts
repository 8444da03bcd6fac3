/** Checkpoints as the two frameworks save them: their names, their shapes, random float32 elements; small widths. */
import { writeSafetensors } from '../../src/runtime/index.js';
import { Random } from '../../src/interpreter/random.js';
import type { Mamba1, Mamba2, Names, State } from './reference.js';

export interface Checkpoint {
  readonly state: State;
  readonly bytes: Uint8Array;
}
/** Elements of the size that trained ones have. */
export function checkpoint(shapes: ReadonlyMap<string, readonly number[]>, seed: number): Checkpoint {
  const random = new Random(seed, 'checkpoint');
  const state = new Map([...shapes].map(([name, shape]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const fan = shape.length > 1 ? size / (shape[0] as number) : 1;
    const draw = (): number => 2 * random.uniform() - 1;
    const element = name.endsWith('A_log') ? (k: number) => Math.log(1 + (k % 16)) + 0.1 * draw()
      : /dt_(proj\.)?bias$/.test(name) ? () => -4 + 2 * draw()
        : /norm(_f)?\.weight$|\.D$/.test(name) ? () => 1 + 0.3 * draw()
          : () => draw() / Math.sqrt(fan);
    return [name, { shape, data: Float64Array.from({ length: size }, (_, k) => Math.fround(element(k))) }] as const;
  }));
  return { state, bytes: writeSafetensors(new Map([...state].map(([n, t]) => [n, { shape: t.shape, data: Float32Array.from(t.data) }]))) };
}
export function shapesOf(s: Mamba1 | Mamba2, names: Names, vocabulary: number): Map<string, readonly number[]> {
  const { width, inner, state, kernel, convBias = true } = s;
  const main: [string, readonly number[]][] = 'rank' in s
    ? [
      ['A_log', [inner, state]], ['D', [inner]], ['in_proj.weight', [2 * inner, width]], ['conv1d.weight', [inner, 1, kernel]],
      ['x_proj.weight', [s.rank + 2 * state, inner]], ['dt_proj.weight', [inner, s.rank]], ['dt_proj.bias', [inner]], ['out_proj.weight', [width, inner]],
    ]
    : [
      ['A_log', [inner / s.headSize]], ['D', [inner / s.headSize]], ['dt_bias', [inner / s.headSize]],
      ['in_proj.weight', [2 * inner + 2 * s.groups * state + inner / s.headSize, width]],
      ['conv1d.weight', [inner + 2 * s.groups * state, 1, kernel]], ['norm.weight', [inner]], ['out_proj.weight', [width, inner]],
    ];
  const rows = (name: string): number => main.find(([n]) => n === name)?.[1][0] ?? 0;
  const mixer = [
    ...main, ...(convBias ? [['conv1d.bias', [rows('conv1d.weight')]] as const] : []),
    ...(s.bias ? [['in_proj.bias', [rows('in_proj.weight')]] as const, ['out_proj.bias', [width]] as const] : []),
  ];
  const norm = (at: string): [string, readonly number[]][] => [[`${at}.weight`, [width]], ...(s.norm === 'layer' ? [[`${at}.bias`, [width]] as [string, readonly number[]]] : [])];
  return new Map([
    [names.embedding, [vocabulary, width]],
    ...Array.from({ length: s.layers }, (_, i) => [...norm(`${names.prefix}layers.${i}.norm`), ...mixer.map(([n, shape]) => [`${names.prefix}layers.${i}.mixer.${n}`, shape] as [string, readonly number[]])]).flat(),
    ...norm(`${names.prefix}norm_f`),
    ...(names.head === '' || names.head === names.embedding ? [] : [[names.head, [vocabulary, width]] as [string, readonly number[]]]),
  ]);
}
