/** Checkpoints of transformers and mamba_ssm, imported and run on wasm and in the interpreter, against plain float64 loops. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { openSpec, type Io } from '../../src/cli/io.js';
import { normwise } from '../../src/cli/tensors.js';
import { compile } from '../../src/compile.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { loadModel, type Tensor } from '../../src/runtime/index.js';
import { checkpoint, shapesOf, type Checkpoint } from './checkpoints.js';
import { languageModel, type Mamba1, type Mamba2, type Names } from './reference.js';

const TOLERANCE = 1e-5;
const folder = mkdtempSync(join(tmpdir(), 'ssmc-import-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let out = '';
let err = '';
beforeEach(() => { out = err = ''; });
const io: Io = { out: (t) => { out += t; }, err: (t) => { err += t; }, cwd: folder, colour: false, terminal: false };
const imports = (bytes: Uint8Array, config: object | string, ...args: string[]): Promise<number> => {
  writeFileSync(join(folder, 'model.safetensors'), bytes);
  writeFileSync(join(folder, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  return main(['import', 'model.safetensors', '--force', '-o', 'lm.ssm', ...args], io);
};

const tokens = [3, 17, 0, 39, 5, 5, 22, 8, 31, 1, 2, 12, 38, 7];
/** How far the imported model is from the loops, on wasm and in the interpreter. */
async function errors({ state, bytes }: Checkpoint, expected: readonly Float64Array[], input: { readonly name: string; readonly data: readonly number[]; readonly shape: readonly number[] }): Promise<number[]> {
  const opened = openSpec(join(folder, 'lm.ssm'), io);
  const { module, program, diagnostics } = compile(opened.entry, opened.host, { specHash: '' });
  if (!module || !program) throw new Error(diagnostics.map((d) => d.text).join('\n'));
  const model = await loadModel(module.manifest, { wasm: module.wasm }, { weights: bytes });
  const answered = Object.values(await model.run({ [input.name]: { data: Float32Array.from(input.data), shape: input.shape } }))[0] as Tensor;
  model.dispose();
  const weights = new Map([...state].map(([n, t]) => [n, { ...t, shape: t.shape.filter((s) => s !== 1) }]));
  const [oracle] = [...interpret(program, weights, new Map([[input.name, { shape: input.shape, data: Float64Array.from(input.data, Math.fround) }]])).outputs.values()];
  const want = expected.flatMap((row) => [...row]);
  expect(answered.data.length).toBe(want.length);
  return [normwise(answered.data, want), normwise(oracle?.data ?? [], want)];
}
const token = { name: 'token', data: tokens, shape: [1, tokens.length] };

const mamba: Mamba1 = { width: 24, layers: 3, state: 5, inner: 48, kernel: 4, rank: 2, eps: 1e-5, norm: 'rms' };
const hf = { model_type: 'mamba', vocab_size: 40, hidden_size: 24, state_size: 5, num_hidden_layers: 3, expand: 2, conv_kernel: 4, time_step_rank: 2, layer_norm_epsilon: 1e-5, hidden_act: 'silu', use_bias: false, use_conv_bias: true, residual_in_fp32: true };
const hfNames: Names = { prefix: 'backbone.', embedding: 'backbone.embeddings.weight', head: 'backbone.embeddings.weight' };
const original: Names = { prefix: 'backbone.', embedding: 'backbone.embedding.weight', head: 'lm_head.weight' };

describe('Mamba', () => {
  it("of transformers', its head tied to the embedding", async () => {
    const c = checkpoint(shapesOf(mamba, hfNames, 40), 1);
    expect(await imports(c.bytes, hf)).toBe(0);
    expect(err).toMatch(/lm\.ssm: 32 tensors match\n$/);
    expect(out).toContain('rename layers.{i}.{part}.{name} to backbone.layers.{i}.{part}.{name}\n');
    expect(Math.max(...await errors(c, languageModel(c.state, hfNames, mamba, tokens), token))).toBeLessThan(TOLERANCE);
  });
  it("of transformers', the rank automatic, another epsilon, a head of its own", async () => {
    const shape = { ...mamba, rank: 2, eps: 1e-3 };
    const names = { ...hfNames, head: 'lm_head.weight' };
    const c = checkpoint(shapesOf(shape, names, 40), 2);
    expect(await imports(c.bytes, { ...hf, time_step_rank: 'auto', layer_norm_epsilon: 1e-3, tie_word_embeddings: false })).toBe(0);
    expect(Math.max(...await errors(c, languageModel(c.state, names, shape, tokens), token))).toBeLessThan(TOLERANCE);
  });
  it("of transformers' without a head or a prefix gives what a head is given", async () => {
    const names = { prefix: '', embedding: 'embeddings.weight', head: '' };
    const c = checkpoint(shapesOf(mamba, names, 40), 3);
    expect(await imports(c.bytes, { ...hf, tie_word_embeddings: false })).toBe(0);
    expect(out).toBe('');
    expect(readFileSync(join(folder, 'lm.ssm'), 'utf8')).toContain('output hidden = RmsNorm(h) as norm_f');
    expect(Math.max(...await errors(c, languageModel(c.state, names, mamba, tokens), token))).toBeLessThan(TOLERANCE);
  });
  it("of mamba_ssm's, its vocabulary filled up, tied but saved twice", async () => {
    const c = checkpoint(shapesOf(mamba, original, 40), 4);
    const state = new Map([...c.state, ['lm_head.weight', c.state.get('backbone.embedding.weight') as { shape: readonly number[]; data: Float64Array }]]);
    expect(await imports(c.bytes, { d_model: 24, n_layer: 3, vocab_size: 37, ssm_cfg: { d_state: 5, dt_rank: 2 }, rms_norm: true, residual_in_fp32: true, fused_add_norm: true, pad_vocab_size_multiple: 8 })).toBe(0);
    expect(out).toContain('not used: lm_head.weight [40, 24] (the embedding again, by the config)\n');
    expect(Math.max(...await errors(c, languageModel(state, original, mamba, tokens), token))).toBeLessThan(TOLERANCE);
  });
  it("of mamba_ssm's, with layer normalisation, from embeddings", async () => {
    const shape: Mamba1 = { ...mamba, norm: 'layer' };
    const c = checkpoint(shapesOf(shape, original, 40), 5);
    expect(await imports(c.bytes, { d_model: 24, n_layer: 3, vocab_size: 40, ssm_cfg: { d_state: 5, dt_rank: 'auto' }, rms_norm: false, tie_embeddings: false }, '--input', 'embeddings', '--name', 'Lm')).toBe(0);
    expect(out).toContain('not used: backbone.embedding.weight [40, 24]');
    const table = c.state.get('backbone.embedding.weight')?.data as Float64Array;
    const rows = tokens.flatMap((id) => [...table.slice(id * 24, (id + 1) * 24)]);
    expect(Math.max(...await errors(c, languageModel(c.state, original, shape, tokens), { name: 'x', data: rows, shape: [1, tokens.length, 24] }))).toBeLessThan(TOLERANCE);
  });
  it.each([[true, true], [true, false], [false, false]])("of transformers', bias %s, bias of the convolution %s", async (bias, convBias) => {
    const shape = { ...mamba, bias, convBias };
    const c = checkpoint(shapesOf(shape, hfNames, 40), 9);
    expect(await imports(c.bytes, { ...hf, use_bias: bias, use_conv_bias: convBias })).toBe(0);
    expect(out).not.toContain('not used');
    expect(Math.max(...await errors(c, languageModel(c.state, hfNames, shape, tokens), token))).toBeLessThan(TOLERANCE);
  });
  it("of mamba_ssm's, with biases that its config names otherwise", async () => {
    const shape = { ...mamba, bias: true, convBias: false };
    const tied = { ...original, head: original.embedding };
    const c = checkpoint(shapesOf(shape, tied, 40), 10);
    expect(await imports(c.bytes, { d_model: 24, n_layer: 3, vocab_size: 40, ssm_cfg: { d_state: 5, dt_rank: 2, bias: true, conv_bias: false } })).toBe(0);
    expect(Math.max(...await errors(c, languageModel(c.state, tied, shape, tokens), token))).toBeLessThan(TOLERANCE);
  });
});

describe('Mamba-2', () => {
  const two: Mamba2 = { width: 24, layers: 2, state: 6, inner: 48, kernel: 4, headSize: 8, groups: 3, normGroups: 1, eps: 1e-5, norm: 'rms' };
  const config = { model_type: 'mamba2', vocab_size: 40, hidden_size: 24, state_size: 6, num_hidden_layers: 2, expand: 2, conv_kernel: 4, num_heads: 6, head_dim: 8, n_groups: 3, chunk_size: 256, hidden_act: 'silu', use_bias: false, use_conv_bias: true, rms_norm: true, tie_word_embeddings: false };
  const names = { ...hfNames, head: 'lm_head.weight' };
  it("of transformers', in groups that are normalised together, steps without a limit", async () => {
    const shape = { ...two, eps: 1e-4 };
    const c = checkpoint(shapesOf(shape, names, 40), 11);
    // Python writes infinity as no JSON does.
    expect(await imports(c.bytes, JSON.stringify({ ...config, layer_norm_epsilon: 1e-4, time_step_limit: 'LIMIT' }).replace('"LIMIT"', '[0.0, Infinity]'))).toBe(0);
    expect(Math.max(...await errors(c, languageModel(c.state, names, shape, tokens), token))).toBeLessThan(TOLERANCE);
  });
  it("of mamba_ssm's, in groups that are normalised each by itself, tied", async () => {
    const shape = { ...two, normGroups: 3 };
    const tied = { ...original, head: original.embedding };
    const c = checkpoint(shapesOf(shape, tied, 40), 12);
    expect(await imports(c.bytes, { d_model: 24, n_layer: 2, vocab_size: 40, ssm_cfg: { layer: 'Mamba2', d_state: 6, headdim: 8, ngroups: 3, chunk_size: 64 }, rms_norm: true, attn_layer_idx: [], d_intermediate: 0 })).toBe(0);
    expect(readFileSync(join(folder, 'lm.ssm'), 'utf8')).toContain('model Mamba2Lm {');
    expect(Math.max(...await errors(c, languageModel(c.state, tied, shape, tokens), token))).toBeLessThan(TOLERANCE);
  });
  it.each([[true, true], [true, false], [false, false]])('bias %s, bias of the convolution %s', async (bias, convBias) => {
    const shape = { ...two, bias, convBias };
    const c = checkpoint(shapesOf(shape, names, 40), 15);
    expect(await imports(c.bytes, { ...config, use_bias: bias, use_conv_bias: convBias })).toBe(0);
    expect(out).not.toContain('not used');
    expect(Math.max(...await errors(c, languageModel(c.state, names, shape, tokens), token))).toBeLessThan(TOLERANCE);
  });
  it('with one group, from embeddings', async () => {
    const shape = { ...two, groups: 1 };
    const c = checkpoint(shapesOf(shape, names, 40), 13);
    expect(await imports(c.bytes, { ...config, n_groups: 1 }, '--input', 'embeddings')).toBe(0);
    const table = c.state.get(names.embedding)?.data as Float64Array;
    const rows = tokens.flatMap((id) => [...table.slice(id * 24, (id + 1) * 24)]);
    expect(Math.max(...await errors(c, languageModel(c.state, names, shape, tokens), { name: 'x', data: rows, shape: [1, tokens.length, 24] }))).toBeLessThan(TOLERANCE);
  });
  it.each<[string, object, RegExp]>([
    ['a limit on steps', { ...config, time_step_limit: [0, 0.1] }, /`time_step_limit` is \[0,0.1\]: the step dt is not clamped here/],
    ['heads that are not the channels', { ...config, num_heads: 5 }, /`num_heads` is 5: of 8 channels each they are not the 48/],
    ['no norm in the block', { d_model: 24, n_layer: 2, vocab_size: 40, ssm_cfg: { layer: 'Mamba2', rmsnorm: false } }, /`ssm_cfg.rmsnorm` is false/],
  ])('%s is refused', async (_, wrong, message) => {
    expect(await imports(checkpoint(shapesOf(two, names, 40), 14).bytes, wrong)).toBe(1);
    expect(err).toMatch(message);
  });
});

describe("what doesn't match", () => {
  it('is listed with the nearest names, and the spec is written all the same', async () => {
    const shapes = shapesOf(mamba, hfNames, 40);
    shapes.delete('backbone.layers.1.mixer.D');
    shapes.set('backbone.layers.1.mixer.DD', [48]);
    shapes.set('backbone.layers.2.mixer.A_log', [48, 7]);
    shapes.set('backbone.embedder.positions', [9, 9]);
    const { bytes } = checkpoint(shapes, 6);
    expect(await imports(bytes, hf)).toBe(1);
    expect(out).toContain('missing backbone.layers.1.mixer.D [48]; nearest: backbone.layers.1.mixer.DD\n');
    expect(out).toContain('not used: backbone.layers.1.mixer.DD [48]; nearest: backbone.layers.1.mixer.D\n');
    expect(out).toContain('shape of backbone.layers.2.mixer.A_log: expected [48, 5] by the config, got [48, 7]\n');
    expect(out).toContain('not used: backbone.embedder.positions [9, 9]\n');
    expect(err).toContain('30 tensors match, 1 are missing, 1 have another shape');
    out = '';
    expect(await imports(bytes, hf, '--json')).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ matched: 30, missing: [{ name: 'backbone.layers.1.mixer.D', nearest: 'backbone.layers.1.mixer.DD' }], wrong: [{ got: [48, 7] }] });
  });
  it.each<[string, object | string, RegExp]>([
    ['another activation, and no width', { ...hf, hidden_act: 'gelu', hidden_size: undefined }, /lacks `hidden_size`\n {2}`hidden_act` is "gelu"/],
    ['another model', { ...hf, model_type: 'jamba' }, /`model_type` is "jamba": mamba and mamba2/],
    ['layers of attention', { d_model: 8, n_layer: 1, vocab_size: 8, attn_layer_idx: [3] }, /`attn_layer_idx` is \[3\]/],
    ['sizes that are none', { ...hf, state_size: -1 }, /`state_size` is -1; expected a whole number from 1/],
    ['no JSON', '{', /is not JSON/],
    ['no object', '[1]', /the config is not an object/],
  ])('in the config is refused: %s', async (_, config, message) => {
    expect(await imports(checkpoint(shapesOf(mamba, hfNames, 40), 7).bytes, config)).toBe(1);
    expect(err).toMatch(message);
  });
});

describe('a pickle', () => {
  it.each([['by its name', 'model.bin', [1, 2, 3, 4]], ['by its zip file', 'weights', [0x50, 0x4b, 3, 4]], ['by its protocol', 'weights', [0x80, 2, 0x7d, 0x71]]])('is known %s, and refused with how to convert it', async (_, name, bytes) => {
    writeFileSync(join(folder, name), Uint8Array.from(bytes));
    expect(await main(['import', name], io)).toBe(1);
    expect(err).toContain('is a pickle, which may run any program when it is read. Convert it where PyTorch is:\n');
    const lines = err.split('\n').slice(1, 4);
    expect(lines[0]).toBe('  import torch, safetensors.torch');
    expect(lines[1]).toContain('weights_only=True');
    expect(lines[2]).toContain('save_file');
  });
  it('in parts is refused with how to convert them', async () => {
    expect(await main(['import', 'pytorch_model.bin.index.json'], io)).toBe(1);
    expect(err).toContain('are pickles');
    expect(err).toContain('weight_map');
    expect(err).toContain('weights_only=True');
  });
});

it('a spec that is there is kept, unless --force', async () => {
  const { bytes } = checkpoint(shapesOf(mamba, hfNames, 40), 8);
  writeFileSync(join(folder, 'kept.safetensors'), bytes);
  writeFileSync(join(folder, 'kept.ssm'), 'mine');
  writeFileSync(join(folder, 'config.json'), JSON.stringify(hf));
  expect(await main(['import', 'kept.safetensors', '-o', 'kept.ssm'], io)).toBe(1);
  expect(readFileSync(join(folder, 'kept.ssm'), 'utf8')).toBe('mine');
  expect(await main(['import', 'kept.safetensors', '-o', 'kept.ssm', '--force'], io)).toBe(0);
  expect(readFileSync(join(folder, 'kept.ssm'), 'utf8')).toContain('model MambaLm {');
});
