/** The TextMate grammar of kernels, on those that the examples become on every machine: each word and sign has a scope, and each word the scope of what it is. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IGrammar } from 'vscode-textmate';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Kernel } from '../../src/ir/kernel.js';
import { printKernel } from '../../src/ir/print-kernel.js';
import { compileText } from '../random/agree.js';
import { loadGrammar, scopesOf } from './grammar.js';

const examples = join(import.meta.dirname, '../../examples');
let grammar: IGrammar;
beforeAll(async () => { grammar = await loadGrammar('ssmc-kernels.tmLanguage.json', 'source.ssmc-kernels'); });

function kernelsOf(text: string): readonly Kernel[] {
  const { module, diagnostics } = compileText(text, 'auto', { webgpu: true, cuda: true });
  if (!module) throw new Error(diagnostics.map((d) => d.text).join('\n'));
  return [...module.kernels, ...module.webgpu?.kernels ?? [], ...module.cuda?.kernels ?? []];
}
const words = /\/\/.*|[A-Za-z_$#][\w.#$~]*|\d[\d.]*(?:e[+-]?\d+)?|[^\s\w,()[\]{}]+/g;
/** Lines are scoped one by one, and most are like others but for numbers. */
function unlike(text: string, seen: Set<string>): string {
  return text.split('\n').filter((line) => {
    const shape = line.replace(/\d+/g, '0');
    return !seen.has(shape) && seen.add(shape);
  }).join('\n');
}
/** What has no scope, and words that have another's. */
function wrong(kernel: Kernel, seen: Set<string>): string[] {
  const whole = printKernel(kernel);
  const text = unlike(whole, seen);
  const scope = scopesOf(grammar, text);
  const arrays = [...kernel.parameters.flatMap((p) => (p.kind === 'scalar' ? [] : [p.name])), ...(kernel.memories ?? []).map((m) => m.name)];
  // In the count of groups sizes have no dollar.
  const sizes = kernel.parameters.flatMap((p) => (p.kind === 'scalar' ? [p.name, p.name.replace('$', '')] : [])).concat('B', 'T', 'R');
  const registers = [...whole.matchAll(/^ +(?:let|var|int|for) (\w+)/gm)].map(([, name]) => name ?? '');
  const named = new Set([...arrays, ...sizes, ...registers]);
  return [...text.matchAll(words)].flatMap(({ 0: word, index }) => {
    const got = scope(index);
    const is = (...wanted: readonly string[]): string[] => (wanted.some((w) => got.startsWith(w)) ? [] : [`${kernel.name}: ${word} is ${got || 'nothing'}, not ${wanted.join(' or ')}`]);
    if (word.startsWith('//')) return is('comment.');
    if (named.has(word) || word.startsWith('$') || /\blane$/.test(word)) return is('variable.');
    if (/^\d|^Infinity$/.test(word)) return is('constant.numeric');
    return /^\w/.test(word) ? is('keyword.control', 'storage.', 'support.function', 'entity.name.function') : is('keyword.operator');
  });
}

describe('the grammar of kernels', () => {
  it.each(readdirSync(examples, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ssm')).toSorted())('knows all that stands in those of examples/%s', (f) => {
    const kernels = kernelsOf(readFileSync(join(examples, f), 'utf8'));
    expect(kernels.some((k) => k.grid)).toBe(true);
    const seen = new Set<string>();
    expect(kernels.flatMap((k) => wrong(k, seen))).toEqual([]);
  });
  it('gives these scopes', () => {
    const text = `kernel k1_h(i32 $lengths[], out f32 h#state[], $R) f32 by 64 threads in 2 groups {
  group f32 tile[128]
  for t0 = 0 .. $R by 4 lanes parallel {
    let v1 = -exp(w.a[t0*2 ..]) // why
    if t0 < 3 {
      h#state[t0 ..] = v1 * 1e-7
    }
  }
}
`;
    const scope = scopesOf(grammar, text);
    const said = [...text.matchAll(words)].map((m) => `${m[0]} ${scope(m.index).replace('.ssmc-kernels', '')}`);
    expect(said.join('\n')).toMatchInlineSnapshot(`
      "kernel storage.type.kernel
      k1_h entity.name.function
      i32 storage.type.element
      $lengths variable.other.constant
      out storage.modifier.out
      f32 storage.type.element
      h#state variable.other.constant
      $R variable.parameter
      f32 storage.type.element
      by keyword.control.by
      64 constant.numeric
      threads keyword.control.threads
      in keyword.control.in
      2 constant.numeric
      groups keyword.control.groups
      group storage.modifier.group
      f32 storage.type.element
      tile variable.other.constant
      128 constant.numeric
      for keyword.control.for
      t0 variable.other.definition
      = keyword.operator
      0 constant.numeric
      .. keyword.operator
      $R variable.parameter
      by keyword.control.by
      4 constant.numeric
      lanes storage.modifier.lanes
      parallel storage.modifier.parallel
      let storage.type.let
      v1 variable.other.definition
      = keyword.operator
      - keyword.operator
      exp support.function
      w.a variable.other.constant
      t0 variable.other
      * keyword.operator
      2 constant.numeric
      .. keyword.operator
      // why comment.line.double-slash
      if keyword.control.if
      t0 variable.other
      < keyword.operator
      3 constant.numeric
      h#state variable.other.constant
      t0 variable.other
      .. keyword.operator
      = keyword.operator
      v1 variable.other
      * keyword.operator
      1e-7 constant.numeric"
    `);
  });
});
