/** Names and comments of a spec are data in the generated module, never code: hostile ones compile under tsc --strict, load and run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { className, fileBase, generateModule } from '../../src/bindings/generate.js';
import { compileText } from '../random/agree.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ssmc-hostile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'node_modules'));
symlinkSync(root, join(folder, 'node_modules', 'ssmc'));
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');

const labels = ['__proto__', 'constructor', 'toString', 'then', 'prototype', 'hasOwnProperty'];
const spec = `/// Model */ globalThis.hacked = 1; /* \`\${globalThis.hacked = 1}\` <script> @see {@link x} \\u002a/
model constructor {
  modalities m = ${labels.map((l, k) => `${l}[${k + 1}]`).join(', ')}
  axis c = 2
  /// Input */ } globalThis.hacked = 2; { /*
  input __defineGetter__[t, m, f]
  input valueOf[c]
  param __proto__[m, c, f] = normal(0, 1)
  param hasOwnProperty.call[m, c] = 1
  /// Output */ globalThis.hacked = 3 //
  output then[t, c] = sum(m: hasOwnProperty.call[m, c] * sum(f: __proto__[m, c, f] * __defineGetter__[t, m, f])) * valueOf[c]
  state isPrototypeOf[t, c] = 0.5 * isPrototypeOf[t-1, c] + then[t, c]
  output __proto__[t, c] = isPrototypeOf[t, c]
  output constructor[c] = last(t: isPrototypeOf[t, c])
}
`;
// One name can't be a parameter and an output at once: the parameter gets another.
const text = spec.replaceAll('__proto__[m, c, f]', 'eval[m, c, f]');

describe('hostile names', () => {
  const { module, diagnostics } = compileText(text);
  if (!module) throw new Error(diagnostics.map((d) => `${d.code} ${d.text}`).join('\n'));
  const weights = Object.fromEntries(module.manifest.weights.map((w) => [w.name, { shape: w.shape, data: Array.from({ length: w.shape.reduce((a, b) => a * b, 1) }, (_, k) => 1 + k) }]));

  it('stay names: the module loads, runs and runs no code of theirs', () => {
    writeFileSync(join(folder, 'k.wasm'), module.wasm);
    for (const [name, code] of generateModule(module.manifest, { wasm: 'k.wasm' })) writeFileSync(join(folder, name), code);
    const inputs = labels.map((l, k) => `[${JSON.stringify(l)}]: new Float32Array(${2 * (k + 1)}).fill(1)`).join(', ');
    writeFileSync(join(folder, 'run.mjs'), `import * as all from "./${fileBase('constructor')}.js";
const Model = all[${JSON.stringify(className('constructor'))}];
const model = await Model.load({ weights: Object.fromEntries(${JSON.stringify(Object.entries(weights))}.map(([n, t]) => [n, { shape: t.shape, data: Float32Array.from(t.data) }])) });
const out = await model.run({ ${inputs}, valueOf: new Float32Array([1, 1]) });
console.log(JSON.stringify([Object.keys(out).sort(), [...Object.getOwnPropertyDescriptor(out, "__proto__").value.data], [...out.then.data], [...out.constructor.data], globalThis.hacked ?? "clean", Object.getPrototypeOf({}) === Object.prototype && ({}).hacked === undefined]));
`);
    const [keys, states, then, last, hacked, intact] = JSON.parse(execFileSync(process.execPath, ['run.mjs'], { cwd: folder, encoding: 'utf8' })) as [string[], number[], number[], number[], string, boolean];
    expect(keys).toEqual(['__proto__', 'constructor', 'then']);
    expect(states.slice(0, 2)).toEqual(then.slice(0, 2));
    expect(last).toEqual(states.slice(2));
    expect(last.every((v) => v > 0)).toBe(true);
    expect([hacked, intact]).toEqual(['clean', true]);
  });
  it('pass tsc --strict, whatever a model is called', () => {
    const words = ['any', 'string', 'true', 'for', 'if', 'const', 'switch', 'extends', 'interface', 'package', 'never', 'object', 'Omit', 'Model', 'Tensor', 'Array', 'Float32Array', 'Error', 'symbol', 'async', 'get', 'of', 'as', 'type', 'Function', 'let', 'await'];
    for (const word of words) {
      const [code] = [...generateModule({ ...module.manifest, model: word }, { wasm: 'k.wasm', typescript: true }).values()];
      writeFileSync(join(folder, `${word}_.ts`), code as string);
    }
    const tsc = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2022,dom', '--types', '', ...words.map((w) => `${w}_.ts`)], { cwd: folder, encoding: 'utf8' });
    expect(tsc.stdout).toBe('');
    expect(tsc.status).toBe(0);
  });
});
