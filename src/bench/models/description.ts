/**
 * A Coupled Mamba model as its peers and its float64 reference need it: sizes, and each weight by what it is. One embedding, layers of
 * a norm and a coupled block, the largest value over time, a mixture of the modalities, a head of two layers.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../cli/io.js';
import { initialise } from '../../interpreter/initialise.js';
import { readSafetensors } from '../../runtime/index.js';
import type { CompiledModule } from '../../compile.js';
import { Unavailable } from '../contest.js';
import { compileSpec } from '../ours.js';
import { packed } from '../peer-process.js';
import { filled, numbers } from '../scan/problem.js';

export interface Sizes {
  readonly width: number;
  readonly layers: number;
  readonly state: number;
  readonly rank: number;
  readonly hidden: number;
  readonly out: number;
  readonly modalities: readonly { readonly name: string; readonly features: number }[];
  /** Inputs are standardised by constants; a norm stands before the pooling. */
  readonly standardised: boolean;
  readonly normed: boolean;
}
export type BlockPart = 'norm.weight' | 'norm.bias' | 'in_proj.weight' | 'conv1d.weight' | 'conv1d.bias' | 'x_proj.weight' | 'dt_proj.weight' | 'dt_proj.bias' | 'A_log' | 'D' | 'out_proj.weight';
const blockParts: readonly BlockPart[] = ['norm.weight', 'norm.bias', 'in_proj.weight', 'conv1d.weight', 'conv1d.bias', 'x_proj.weight', 'dt_proj.weight', 'dt_proj.bias', 'A_log', 'D', 'out_proj.weight'];
export const expand = 2;
export const kernel = 4;
export const eps = 1e-5;

/** The weights of the cross attention that stands in place of a block: products of the modality's rows, [width, width], from the left. */
export const attentionParts = ['query', 'key', 'value', 'out'] as const;
export type AttentionPart = (typeof attentionParts)[number];
export const heads = 4;

export interface ModelProblem {
  readonly sizes: Sizes;
  readonly module: CompiledModule;
  readonly weights: ReadonlyMap<string, { readonly data: Float32Array; readonly shape: readonly number[] }>;
  /** A weight of a layer, by modality. */
  readonly block: (layer: number, modality: number, part: BlockPart) => Float32Array;
  readonly weight: (name: string) => Float32Array;
  /** The same, of the model with cross attention. */
  readonly attention: (layer: number, modality: number, part: AttentionPart) => Float32Array;
}

const example = (path: string): Uint8Array => {
  const file = join(packageRoot(), 'examples', path);
  if (!existsSync(file)) throw new Unavailable(`the examples are not in this installation (${path})`);
  return new Uint8Array(readFileSync(file));
};
export const exampleText = (path: string): string => new TextDecoder().decode(example(path));

function problem(sizes: Sizes, module: CompiledModule, weights: ModelProblem['weights'], blockName: (layer: number, modality: string, part: BlockPart) => string): ModelProblem {
  const weight = (name: string): Float32Array => {
    const found = weights.get(name);
    if (!found) throw new Error(`no weight ${name}`);
    return found.data;
  };
  const random = numbers(4242);
  const reach = Math.sqrt(3 / sizes.width);
  const attention = Array.from({ length: sizes.layers * sizes.modalities.length * attentionParts.length }, () => filled(sizes.width ** 2, () => reach * (2 * random() - 1)));
  return {
    sizes, module, weights, weight, attention: (layer, m, part) => attention[(layer * sizes.modalities.length + m) * attentionParts.length + attentionParts.indexOf(part)] as Float32Array,
    block: (layer, modality, part) => weight(blockName(layer, sizes.modalities[modality]?.name ?? '', part)),
  };
}

/**
 * CMU-MOSEI as in the paper, with weights as its spec initialises them; but those of the last layer are positive, lest the one answer be
 * near 0 by chance and its error, relative to it, say nothing.
 */
export function moseiProblem(): ModelProblem {
  const sizes: Sizes = {
    width: 128, layers: 3, state: 64, rank: 16, hidden: 64, out: 1, standardised: false, normed: false,
    modalities: [{ name: 'audio', features: 74 }, { name: 'vision', features: 35 }, { name: 'text', features: 768 }],
  };
  const { module, program } = compileSpec(exampleText('coupled-mamba/mosei.ssm'));
  const weights = new Map([...initialise(program, 0)].map(([name, t]) => [name, { shape: t.shape, data: Float32Array.from(t.data) }]));
  for (const name of ['head.2.weight', 'head.2.bias']) weights.get(name)?.data.forEach((w, i, all) => { all[i] = Math.abs(w); });
  return problem(sizes, module, weights, (layer, m, part) => (part.startsWith('norm.') ? `layers.${layer}.norm.${m}.${part.slice(5)}` : `layers.${layer}.mixer.${m}.${part}`));
}

export interface MexData {
  readonly problem: ModelProblem;
  /** The first window, and its logits from plain float64 loops. */
  readonly inputs: readonly Float32Array[];
  readonly logits: Float64Array;
}
/** The trained model of `examples/mex`. */
export function mexProblem(): MexData {
  const modalities = [{ name: 'depth', features: 192 }, { name: 'pressure', features: 128 }, { name: 'accel', features: 6 }];
  const file = readSafetensors(example('mex/data/coupled.safetensors'));
  const weights = new Map(file.names.map((name) => [name, { shape: file.tensor(name).shape, data: file.tensor(name).toFloat32() }]));
  const parity = readSafetensors(example('mex/data/parity-coupled.safetensors'));
  const sizes: Sizes = { width: 32, layers: 2, state: 16, rank: 2, hidden: 32, out: 7, modalities, standardised: true, normed: true };
  return {
    problem: problem(sizes, compileSpec(exampleText('mex/mex.ssm')).module, weights, (layer, m, part) => `layers.${layer}.${m}.${part}`),
    inputs: modalities.map(({ name, features }) => parity.tensor(`input.${name}`).toFloat32().slice(0, 64 * features)),
    logits: parity.tensor('logits_f64').toFloat64().slice(0, 7),
  };
}

/** Inputs by modality, [batch, steps, features]. A row is the same in every batch, and a prefix in every length. */
export function randomInputs({ modalities }: Sizes, batch: number, steps: number): Float32Array[] {
  return modalities.map(({ features }, m) => {
    const all = new Float32Array(batch * steps * features);
    for (let b = 0; b < batch; b++) {
      const random = numbers(1000 * (m + 1) + b + 1);
      all.set(filled(steps * features, () => 2 * random() - 1), b * steps * features);
    }
    return all;
  });
}

/** What models.py reads: sizes, inputs, weights in its order; the attention has a block of its own. */
export function peerInput({ sizes, weight, block, attention }: ModelProblem, inputs: readonly Float32Array[], batch: number, steps: number, kind: 'coupled' | 'attention'): Uint8Array {
  const { modalities, layers, width, state, rank, hidden, out, standardised, normed } = sizes;
  const each = (name: (m: string) => string): Float32Array[] => modalities.map((m) => weight(name(m.name)));
  const arrays = [...inputs];
  if (standardised) arrays.push(...each((m) => `input.${m}.mean`), ...each((m) => `input.${m}.rstd`));
  arrays.push(...each((m) => `embed.${m}.weight`), ...each((m) => `embed.${m}.bias`));
  const parts = kind === 'coupled' ? blockParts : blockParts.slice(0, 2);
  for (let layer = 0; layer < layers; layer++) {
    for (const part of parts) arrays.push(...modalities.map((_, m) => block(layer, m, part)));
    if (kind === 'attention') for (const part of attentionParts) arrays.push(...modalities.map((_, m) => attention(layer, m, part)));
  }
  if (normed) arrays.push(...each((m) => `norm_f.${m}.weight`), ...each((m) => `norm_f.${m}.bias`));
  arrays.push(...['fusion.logits', 'head.0.weight', 'head.0.bias', 'head.2.weight', 'head.2.bias'].map(weight));
  const header = [batch, steps, modalities.length, width, layers, state, rank, hidden, out, Number(standardised), Number(normed), ...modalities.map((m) => m.features)];
  return packed(header, arrays);
}
