/** The package as npm packs it, in an empty directory: the README's snippets, in order, as they stand there. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installPacked, root } from './packed.js';

const folder = mkdtempSync(join(tmpdir(), 'ssmc-package-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/```(\w*)\n([\s\S]*?)```/g)].map((m) => ({ language: m[1] as string, text: m[2] as string }));
const block = (language: string, holds: string): string => blocks.find((b) => b.language === language && b.text.includes(holds))?.text ?? '';
const node = (args: readonly string[]): { status: number | null; out: string } => {
  const r = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  return { status: r.status, out: r.stdout + r.stderr };
};

let installed: ReturnType<typeof installPacked>;

describe('the packed package', () => {
  beforeAll(() => {
    installed = installPacked(folder);
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'mex.ssm'), block('', 'model Mex'));
  });

  it("compiles the README's spec and makes weights, by the README's commands", () => {
    const commands = block('sh', 'ssmc compile').split('\n').map((line) => line.replace(/#.*/, '').trim()).filter((line) => line !== '');
    expect(commands.length).toBeGreaterThan(1);
    const { bin } = JSON.parse(readFileSync(join(folder, 'node_modules', 'ssmc', 'package.json'), 'utf8')) as { bin: { ssmc: string } };
    for (const line of commands) {
      const [npx, ssmc, ...args] = line.split(/\s+/);
      expect([npx, ssmc]).toEqual(['npx', 'ssmc']);
      expect(node([join('node_modules', 'ssmc', bin.ssmc), ...args])).toMatchObject({ status: 0 });
    }
  });
  it("runs the README's program", () => {
    const program = block('ts', 'Mex.load');
    const given = 'const [depth, pressure, accel] = [192, 128, 6].map((n) => new Float32Array(n * 9).fill(0.5));\n';
    // It ends by disposing of the model: look before that.
    writeFileSync(join(folder, 'use.mjs'), given + program.replace('mex.dispose', 'console.log(logits.shape.join(), logits.data.every(Number.isFinite)); mex.dispose'));
    expect(node(['use.mjs'])).toEqual({ status: 0, out: '1,7 true\n' });
    writeFileSync(join(folder, 'use.ts'), given.replace('.map((n)', '.map((n: number)').replace('fill(0.5));', 'fill(0.5)) as [Float32Array, Float32Array, Float32Array];') + program);
    expect(node([join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext', '--types', '', 'use.ts'])).toEqual({ status: 0, out: '' });
  });
  it('brings no tests, no examples and no path of the machine that packed it', () => {
    const { files } = installed;
    expect(files.filter((f) => /(^|\/)(test|examples|node_modules)\//.test(f))).toEqual([]);
    for (const f of files.filter((name) => /\.(js|ts|json|ssm|md)$/.test(name))) {
      const text = readFileSync(join(folder, 'node_modules', 'ssmc', f), 'utf8');
      expect([f, text.includes(root)]).toEqual([f, false]);
    }
  });
});
