/** The formatter: the same meaning, comments and all, formatted once and for all; and how it reads. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { format, meaning } from '../../grammar/formatter.js';
import { parse } from '../../grammar/parser.js';
import { lex } from '../../grammar/tokens.js';
import { check } from '../../src/check/index.js';
import { Diagnostics } from '../../src/diagnostics/diagnostic.js';
import { Builder } from '../../src/ir/builder.js';
import { printProgram } from '../../src/ir/print-program.js';
import { std } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';

const root = join(import.meta.dirname, '../..');
const specs = ['grammar/std', 'examples'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ssm')).map((f) => join(folder, f)));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const count = Number(process.env['COUNT'] ?? 500);

function formatted(text: string): string {
  const done = format(text, 'spec.ssm');
  if ('faults' in done) throw new Error(`${JSON.stringify(done.faults)}\n${text}`);
  return done.text;
}
const meant = (text: string): string => meaning(parse(text, 'spec.ssm').file);
function keeps(text: string): string {
  const once = formatted(text);
  expect(meant(once)).toBe(meant(text));
  expect(formatted(once)).toBe(once);
  return once;
}
function programOf(text: string): string {
  const { program } = check('spec.ssm', { std, read: (p) => (p === 'spec.ssm' ? text : undefined) }, new Builder(), new Diagnostics());
  return program ? printProgram(program) : '';
}

describe('format', () => {
  it.each(specs.map((s) => [s]))('%s is laid out as the formatter does', (path) => {
    expect(keeps(read(path))).toBe(read(path));
  });
  const examples = [...read('grammar/README.md').matchAll(/```ssm\n([\s\S]*?)```/g)].map((m) => m[1] as string);
  it.each(examples.map((e) => [/model (\w+)/.exec(e)?.[1] ?? '', e] as const))('the example %s of the reference keeps its meaning', (_, text) => {
    expect(programOf(keeps(text))).toBe(programOf(text));
    expect(programOf(text)).not.toBe('');
  });
  it(`${count} random programs keep their meaning`, () => {
    for (let seed = 0; seed < count; seed++) {
      const { text } = randomSpec(seed);
      const once = keeps(text);
      if (seed % 10 === 0) expect(programOf(once), `seed ${seed}`).toBe(programOf(text));
    }
  });
  it.each([['// note'], ['/// doc']])('%s stays, wherever it stands', (comment) => {
    const text = 'import Linear, Mlp from "std"\nblock B(x[t, m?, c], k = a | b, width = 2 * c) {\n  axis o = width\n  y[t, m, c] = match k { a => x[t, m, c], b => -x[t-1, m, c]^2 }\n'
      + '  output z[t, m, c] = y[t, m, c]\n}\nmodel M {\n  modalities m = audio[3], text[4]\n  input s[t, m, f]\n  param w[m, 2 * m] = uniform(-1, 1 / sqrt(3))\n  rename "a.{i}" to "b.{i}"\n'
      + '  fact 0 < w\n  repeat 2 as layers {\n    h = B(s, k = b) as inner\n  }\n  match k {\n    a | b => { q[t] = sum(i in m, j: s[t, i, j]) }\n    c => { }\n  }\n  initial g[m] = 1\n  state g[t, m] = 0.5 * g[t-1, m]\n  output y[t, m] = g[t, m]\n}\n';
    const ends = [0, ...lex(text, '').tokens.map((t) => (t.endOffset as number) + 1)];
    let tried = 0;
    for (const own of [false, true]) for (const end of ends) {
      const commented = `${text.slice(0, end)}${own ? '\n' : ' '}${comment}\n${text.slice(end)}`;
      if (parse(commented, '').faults.length > 0) continue; // a line end can cut a keyword from what it introduces
      tried++;
      expect(keeps(commented)).toContain(comment);
    }
    expect(tried).toBeGreaterThan(1.8 * ends.length);
  });
  it('reports the faults of a file instead', () => {
    expect(format('model M { axis c = }', 'f.ssm')).toMatchObject({ faults: [{ code: 'SSM1003' }] });
  });
  it('lays out statements, bodies and operators', () => {
    expect(formatted(`import A,B from "./b.ssm" block G(x[t,m?,c],kind=smooth|sharp){param w[m,c]=1 output y[t,m,c]=((x[t,m,c]))*(w[m,c]+(1))-(2-(3-4))}


/// Doc.
model M{modalities m=a[3],b axis c=4//four
// its own line
input signal[t,m,f] a[t]=-(x[t-1])^2   abc[t,c]=x[t - size(k)+1+k,c]


rename "a" to "b" repeat 2 as layers{h=G(h,kind=sharp) as _}match kind{smooth=>{axis q=1}sharp|other=>{}}}`)).toBe(`import A, B from "./b.ssm"

block G(x[t, m?, c], kind = smooth | sharp) {
  param w[m, c] = 1
  output y[t, m, c] = x[t, m, c] * (w[m, c] + 1) - (2 - (3 - 4))
}

/// Doc.
model M {
  modalities m = a[3], b
  axis c = 4 //four
  // its own line
  input signal[t, m, f]
  a[t]      = -x[t-1]^2
  abc[t, c] = x[t - size(k) + 1 + k, c]

  rename "a" to "b"
  repeat 2 as layers {
    h = G(h, kind = sharp) as _
  }
  match kind {
    smooth => {
      axis q = 1
    }
    sharp | other => {}
  }
}
`);
  });
  it('breaks long lines at the weakest operator, which stands under the equals sign', () => {
    const long = 'exp(dt[t, m, d] * A[m, d, n]) * sum(i: K[i] * h[t-1, i, d, n])';
    expect(formatted(`model M {\nstate h[t, m, d, n] = ${long} + dt[t, m, d] * B[t, m, n] * u[t, m, d]\ny[t] = where(first[t, m, c] > 0.5, ${long}, ${long})\n}`)).toBe(`model M {
  state h[t, m, d, n] = ${long}
                      + dt[t, m, d] * B[t, m, n] * u[t, m, d]
  y[t] = where(
    first[t, m, c] > 0.5,
    ${long},
    ${long}
  )
}
`);
  });
});
