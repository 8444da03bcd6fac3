/** The model with cross attention as an ONNX graph, on onnxruntime-web: the same engine and vectors as ours. */
import type { Contestant } from '../contest.js';
import { onnxModel, type Node, type Tensor } from '../onnx.js';
import { openSession } from '../ort.js';
import { heads, type AttentionPart, type ModelProblem } from './description.js';

export const ortAttentionName = 'onnxruntime-web, cross attention';

export function ortAttention(task: { readonly problem: ModelProblem; readonly batch: number; readonly steps: number; readonly inputs: readonly Float32Array[] }, errorOf: (y: Float32Array) => number): Contestant {
  return {
    name: ortAttentionName,
    prepare: async () => {
      const { problem, batch, steps, inputs } = task;
      const { ort, session } = await openSession('onnxruntime-web', attentionModel(problem, batch, steps));
      const feeds = Object.fromEntries(problem.sizes.modalities.map(({ name, features }, m) => [name, new ort.Tensor('float32', inputs[m] as Float32Array, [batch, steps, features])]));
      return {
        run: async () => void (await session.run(feeds)), error: async () => errorOf((await session.run(feeds))['y']?.data as Float32Array), close: () => session.release?.(),
      };
    },
  };
}

class GraphMaker {
  readonly nodes: Node[] = [];
  readonly constants: Tensor[] = [];
  constant(data: Float32Array | BigInt64Array, shape: readonly number[]): string {
    const name = `c${this.constants.length}`;
    this.constants.push({ name, shape, data });
    return name;
  }
  op(op: string, inputs: readonly string[], attributes: Node['attributes'] = {}, name = `v${this.nodes.length}`): string {
    this.nodes.push({ op, inputs, outputs: [name], attributes });
    return name;
  }
  /** x W, W as [from, to]. */
  times(x: string, weight: Float32Array, from: number, to: number): string {
    return this.op('MatMul', [x, this.constant(weight, [from, to])]);
  }
  /** W x + b, W as PyTorch stores it, [to, from]. */
  linear(x: string, weight: Float32Array, bias: Float32Array): string {
    const to = bias.length;
    const from = weight.length / to;
    const turned = weight.map((_, i) => weight[(i % to) * from + Math.floor(i / to)] as number);
    return this.op('Add', [this.times(x, turned, from, to), this.constant(bias, [to])]);
  }
  norm(x: string, weight: Float32Array, bias: Float32Array): string {
    return this.op('LayerNormalization', [x, this.constant(weight, [weight.length]), this.constant(bias, [bias.length])]);
  }
  shaped(x: string, shape: readonly number[]): string {
    return this.op('Reshape', [x, this.constant(BigInt64Array.from(shape, BigInt), [shape.length])]);
  }
}

function attentionModel({ sizes, weight, block, attention }: ModelProblem, batch: number, steps: number): Uint8Array {
  const { modalities, width, layers, normed, standardised } = sizes;
  const g = new GraphMaker();
  let x = modalities.map(({ name, features }) => {
    const constant = (part: string): string => g.constant(weight(`input.${name}.${part}`), [features]);
    const given = standardised ? g.op('Mul', [g.op('Sub', [name, constant('mean')]), constant('rstd')]) : name;
    return g.linear(given, weight(`embed.${name}.weight`), weight(`embed.${name}.bias`));
  });
  const part = width / heads;
  for (let layer = 0; layer < layers; layer++) {
    const v = x.map((rows, m) => g.norm(rows, block(layer, m, 'norm.weight'), block(layer, m, 'norm.bias')));
    const asked = (name: AttentionPart, scale = 1): string[] => v.map((rows, m) => g.times(rows, attention(layer, m, name).map((w) => w * scale), width, width));
    const [query, key, value] = [asked('query', part ** -0.5), asked('key'), asked('value')];
    x = x.map((rows, m) => {
      const others = (of: readonly string[]): string => g.op('Concat', of.filter((_, i) => i !== m), { axis: 1 });
      const split = (y: string, length: number, perm: readonly number[]): string => g.op('Transpose', [g.shaped(y, [batch, length, heads, part])], { perm });
      const shares = g.op('Softmax', [g.op('MatMul', [split(query[m] as string, steps, [0, 2, 1, 3]), split(others(key), (modalities.length - 1) * steps, [0, 2, 3, 1])])], { axis: 3 });
      const answer = g.op('MatMul', [shares, split(others(value), (modalities.length - 1) * steps, [0, 2, 1, 3])]);
      const joined = g.shaped(g.op('Transpose', [answer], { perm: [0, 2, 1, 3] }), [batch, steps, width]);
      return g.op('Add', [rows, g.times(joined, attention(layer, m, 'out'), width, width)]);
    });
  }
  if (normed) x = x.map((rows, m) => g.norm(rows, weight(`norm_f.${modalities[m]?.name}.weight`), weight(`norm_f.${modalities[m]?.name}.bias`)));
  const e = Array.from(weight('fusion.logits'), Math.exp);
  const total = e.reduce((a, b) => a + b, 0);
  const mixed = x.map((rows, m) => g.op('Mul', [g.op('ReduceMax', [rows], { axes: [1], keepdims: 0 }), g.constant(Float32Array.of((e[m] as number) / total), [1])]));
  const hidden = g.op('Relu', [g.linear(g.op('Sum', mixed), weight('head.0.weight'), weight('head.0.bias'))]);
  const last = g.linear(hidden, weight('head.2.weight'), weight('head.2.bias'));
  g.op('Identity', [last], {}, 'y');
  return onnxModel({
    nodes: g.nodes, constants: g.constants, outputs: [{ name: 'y', shape: [batch, sizes.out] }],
    inputs: modalities.map(({ name, features }) => ({ name, shape: [batch, steps, features] })),
  });
}
