/** How arrays without indices meet: by identity, then in order where sizes agree. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.js';
import { printProgram } from '../../src/ir/print-program.js';
import { std } from '../random/agree.js';

function checked(body: string): string {
  const text = `import Linear, RmsNorm from "std"\nblock Mix(a[t, c], b[t, c]) { output y[t, c] = a[t, c] - b[t, c] }\nmodel M {\n modalities m = left, right\n axis c = 4\n input x[t, m, c]\n input z[t, c]\n ${body}\n}`;
  const { diagnostics, program } = compile('spec.ssm', { std, read: (p) => (p === 'spec.ssm' ? text : undefined) }, { specHash: '' });
  expect(diagnostics.filter((d) => d.severity === 'error').map((d) => d.text)).toEqual([]);
  return program ? printProgram(program) : '';
}

describe('arrays without indices', () => {
  it('a residual around a layer with its own output axis is elementwise', () => {
    expect(checked('output y = z + Linear(z, out = 4)')).toMatch(/\by\[t, c:4\] = \(z\[t, c\] \+ linear\.y\[t, c\]\)/);
  });
  it('modalities are matched by identity, what one side lacks is repeated', () => {
    expect(checked('output y = x + Linear(z, out = 4)')).toMatch(/\by\[t, m:2, c:4\] = \(x\[t, m, c\] \+ linear\.y\[t, c\]\)/);
  });
  it('arguments of a block may have axes of their own of the same size', () => {
    expect(checked('output y = Mix(z, Linear(z, out = 4))')).toMatch(/\[t, c:4\] = \(z\[t, c\] - linear\.y\[t, c\]\)/);
  });
  it('axes that an array has beside those it shares stay its own', () => {
    expect(checked('axis o = 4\n param w[c, o] = 1\n g = Linear(z, out = 4)\n output y = (z + g) * w')).toMatch(/\by\[t, c:4, o:4\] = \(\(z\[t, c\] \+ linear\.y\[t, c\]\) \* w\[c, o\]\)/);
  });
});
