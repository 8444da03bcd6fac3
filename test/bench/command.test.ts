import { expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { suite } from '../../src/bench/suite.js';

async function bench(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await main(['bench', ...argv], { out: (t) => { out += t; }, err: (t) => { err += t; }, cwd: '.', colour: false, terminal: false });
  return { code, out, err };
}

it('lists what there is', async () => {
  expect((await bench('--list')).out.trim().split('\n').map((l) => l.split(' ')[0])).toEqual(suite.map((b) => b.name));
  expect(JSON.parse((await bench('--list', 'matmul', '--json')).out)).toEqual(suite.filter((b) => b.name.startsWith('matmul/')).map(({ name, title }) => ({ name, title })));
});
it('refuses names that it does not know, and odd rounds', async () => {
  expect(await bench('scam')).toMatchObject({ code: 2, err: expect.stringContaining('did you mean `scan`?') as string });
  expect(await bench('scan', '--rounds', '0')).toMatchObject({ code: 2 });
  expect(await bench('scan', '--clock', 'sun')).toMatchObject({ code: 2 });
});
it('prints sizes for people and as JSON', async () => {
  expect((await bench('size')).out).toMatch(/mex module, code, WebAssembly and the runtime it uses +\d/);
  const { results } = JSON.parse((await bench('size', '--json')).out) as { results: { figures: { name: string; value: number }[] }[] };
  expect(results[0]?.figures.find((f) => f.name === 'of which WebAssembly')?.value).toBeGreaterThan(1);
});
