/** Checkpoints in parts, as transformers saves large ones: an index, and files beside it. Imported, run by the commands, and loaded by a program. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { openSpec, readInPieces, type Io } from '../../src/cli/io.js';
import { compile } from '../../src/compile.js';
import { loadModel, readSafetensors, writeSafetensors, type Tensor, type Weights } from '../../src/runtime/index.js';
import { openShards, readIndex } from '../../src/runtime/shards.js';
import { checkpoint, shapesOf } from './checkpoints.js';
import type { Mamba1, Names } from './reference.js';

const folder = mkdtempSync(join(tmpdir(), 'ssmc-shards-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let out = '';
let err = '';
const io: Io = { out: (t) => { out += t; }, err: (t) => { err += t; }, cwd: folder, colour: false, terminal: false };
const ssmc = async (...args: string[]): Promise<number> => {
  out = err = '';
  return main(args, io);
};
const mamba: Mamba1 = { width: 16, layers: 2, state: 4, inner: 32, kernel: 4, rank: 1, eps: 1e-5, norm: 'rms' };
const names: Names = { prefix: 'backbone.', embedding: 'backbone.embeddings.weight', head: 'backbone.embeddings.weight' };
const index = 'model.safetensors.index.json';
const whole = checkpoint(shapesOf(mamba, names, 20), 1);
const config = { model_type: 'mamba', vocab_size: 20, hidden_size: 16, state_size: 4, num_hidden_layers: 2, time_step_rank: 1 };

/** Writes the checkpoint in two parts. */
function split(to: string): void {
  mkdirSync(to, { recursive: true });
  const parts = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
  const of = [...whole.state].map(([name], k) => [name, parts[k % 2] as string] as const);
  for (const part of parts) writeFileSync(join(to, part), writeSafetensors(new Map(of.filter(([, p]) => p === part).map(([n]) => [n, { shape: whole.state.get(n)?.shape ?? [], data: Float32Array.from(whole.state.get(n)?.data ?? []) }]))));
  writeFileSync(join(to, index), JSON.stringify({ metadata: { total_size: 1 }, weight_map: Object.fromEntries(of) }));
  writeFileSync(join(to, 'config.json'), JSON.stringify(config));
}
const tokens = { token: { data: Float32Array.of(3, 1, 19, 0), shape: [1, 4] } };
async function logits(weights: Weights): Promise<Float32Array> {
  const opened = openSpec(join(folder, 'lm.ssm'), io);
  const { module } = compile(opened.entry, opened.host, { specHash: '' });
  if (!module) throw new Error('it does not compile');
  const model = await loadModel(module.manifest, { wasm: module.wasm }, { weights, device: 'wasm' });
  const { data } = (await model.run(tokens))['logits'] as Tensor;
  model.dispose();
  return data;
}
beforeAll(async () => {
  split(join(folder, 'parts'));
  writeFileSync(join(folder, 'whole.safetensors'), whole.bytes);
  writeFileSync(join(folder, 'in.safetensors'), writeSafetensors(tokens));
  expect(await ssmc('import', `parts/${index}`, '-o', 'lm.ssm')).toBe(0);
  expect(err).toMatch(/lm\.ssm: 22 tensors match\n$/);
});

describe('a checkpoint in parts', () => {
  it('is what the commands take as weights, with the answers of one file', async () => {
    const answers: Buffer[] = [];
    for (const weights of [`parts/${index}`, 'whole.safetensors']) {
      expect([await ssmc('run', 'lm.ssm', '--weights', weights, '--input', 'in.safetensors', '--output', 'out.safetensors', '--device', 'wasm'), err]).toEqual([0, '']);
      answers.push(readFileSync(join(folder, 'out.safetensors')));
      expect(await ssmc('weights', 'lm.ssm', '--check', weights)).toBe(0);
      expect(out).toBe('');
      expect(await ssmc('check', 'lm.ssm', '--weights', weights)).toBe(0);
    }
    expect(answers[0]?.equals(answers[1] as Buffer)).toBe(true);
  });
  it('is what a program takes, from a path, a URL of a file and a server', async () => {
    const expected = await logits(whole.bytes);
    const path = join(folder, 'parts', index);
    expect(await logits(await openShards(path))).toEqual(expected);
    expect(await logits(await openShards(pathToFileURL(path)))).toEqual(expected);
    const server = createServer((request, response) => { response.end(readFileSync(join(folder, new URL(request.url ?? '', 'http://x').pathname))); });
    await new Promise<void>((done) => { server.listen(0, '127.0.0.1', done); });
    try {
      expect(await logits(await openShards(`http://127.0.0.1:${(server.address() as AddressInfo).port}/parts/${index}?download=true`))).toEqual(expected);
    } finally {
      server.close();
    }
  });
  it.each<[string, string, string]>([
    ['no JSON', '{', 'SSM5002: not a safetensors file: the index is not JSON'],
    ['no map', '{"weight_map": []}', 'SSM5002: not a safetensors file: the index lacks `weight_map`'],
    ['a part elsewhere', '{"weight_map": {"a": "../whole.safetensors"}}', 'the index names no file for `a`: "../whole.safetensors"'],
    ['a part at a URL', '{"weight_map": {"a": "http://x/y"}}', 'the index names no file for `a`'],
    ['a part that is no text', '{"weight_map": {"a": 1}}', 'the index names no file for `a`: 1'],
    ['a part that is missing', '{"weight_map": {"a": "nowhere.safetensors"}}', 'nowhere.safetensors'],
    ['a tensor that its part lacks', '{"weight_map": {"a": "whole.safetensors"}}', 'SSM5007: there is no tensor `a`'],
    ['a part that is none', '{"weight_map": {"a": "lm.ssm"}}', 'SSM5002'],
  ])('is refused with what is wrong: %s', async (_, text, message) => {
    writeFileSync(join(folder, index), text);
    await expect(openShards(join(folder, index))).rejects.toThrow(message);
    expect(await ssmc('weights', 'lm.ssm', '--check', index)).toBe(1);
    expect(err).toContain(message);
  });
  it('has an index that may name a tensor of any name', () => {
    expect([...readIndex('{"weight_map": {"__proto__": "a.safetensors", "x": "b"}}')]).toEqual([['__proto__', 'a.safetensors'], ['x', 'b']]);
  });
});

it('a file that Node does not read at once is read in pieces', () => {
  const file = join(folder, 'whole.safetensors');
  expect(readSafetensors(readInPieces(file, whole.bytes.length, 1000)).names).toEqual(readSafetensors(whole.bytes).names);
  expect(() => readInPieces(file, whole.bytes.length + 1, 1000)).toThrow(`it ends after ${whole.bytes.length} bytes`);
});
