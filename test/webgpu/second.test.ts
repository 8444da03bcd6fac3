/** Every example's shader through a second WGSL front end (wgsl_reflect, a parser in JavaScript), beside Dawn's: what it says of the bindings is what the plan says. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.js';
import { openSpec } from '../../src/cli/io.js';
import type { GpuPlan } from '../../src/runtime/manifest.js';
import { limits } from '../../targets/wgsl/limits.js';

// Its package names a CommonJS file as an ES module: the one that loads is asked for by its path, which has no types of its own.
const path: string = 'wgsl_reflect/wgsl_reflect.module.js';
const { WgslReflect } = (await import(path)) as typeof import('wgsl_reflect');
const root = join(import.meta.dirname, '../..');
const specs = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ssm')).sort();
const io = { out: () => undefined, err: () => undefined, cwd: root, colour: false, terminal: false };

describe('a second WGSL front end', () => {
  it.each(specs.flatMap((spec) => (['f32', 'f16', 'bf16'] as const).map((storage) => [spec, storage] as const)))('takes the shader of %s, stored as %s, and its variants', (spec, storage) => {
    const opened = openSpec(join('examples', spec), io);
    const { webgpu } = compile(opened.entry, opened.host, { specHash: '', webgpu: true, storage }).module ?? {};
    if (!webgpu?.manifest.gpu) throw new Error('no shader');
    for (const { text } of [{ text: webgpu.wgsl }, ...webgpu.variants.map((v) => ({ text: v.wgsl }))]) agrees(text, webgpu.manifest.gpu);
  });
  it('refuses what is no WGSL', () => {
    expect(() => new WgslReflect('fn f( { let x == 1; }')).toThrow();
  });
});
/** Entry points and bindings as the plan has them. */
function agrees(text: string, gpu: GpuPlan): void {
  const { entry } = new WgslReflect(text);
  const planned = new Map(Object.values(gpu.entries).map((e) => [e.entry, e]));
  expect(entry.compute.map((f) => f.name).sort()).toEqual([...planned.keys()].sort());
  for (const f of entry.compute) {
    const storage = f.resources.filter((r) => r.binding > 0);
    const plan = planned.get(f.name);
    const bindings = [...(plan?.lengths ? [1] : []), ...(plan?.arenas ?? []).map((_, k) => 2 + k)];
    expect([...new Set(storage.map((r) => r.binding))].sort((a, b) => a - b)).toEqual(bindings);
    expect(storage.length).toBeLessThanOrEqual(limits.storageBuffers);
  }
}
