import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';

const folder = mkdtempSync(join(tmpdir(), 'ssmc-format-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
async function ssmc(argv: readonly string[], stdin = ''): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await main(argv, {
    out: (t) => { out += t; }, err: (t) => { err += t; }, cwd: folder, colour: false, terminal: false, stdin: () => new TextEncoder().encode(stdin),
  });
  return { code, out, err };
}
const rough = 'model M{axis c=4\ninput x[t,c]\noutput y[t,c]=x[t,c]}';
const neat = 'model M {\n  axis c = 4\n  input x[t, c]\n  output y[t, c] = x[t, c]\n}\n';
const faulty = 'model M { axis c = }';
const at = (name: string): string => join(folder, name);

describe('ssmc format', () => {
  beforeEach(() => {
    writeFileSync(at('rough.ssm'), rough);
    writeFileSync(at('neat.ssm'), neat);
    writeFileSync(at('faulty.ssm'), faulty);
  });
  it('rewrites files in place, and leaves neat ones alone', async () => {
    const before = statSync(at('neat.ssm')).ino;
    expect(await ssmc(['format', 'rough.ssm', 'neat.ssm'])).toEqual({ code: 0, out: '', err: 'rough.ssm\n' });
    expect(readFileSync(at('rough.ssm'), 'utf8')).toBe(neat);
    expect(statSync(at('neat.ssm')).ino).toBe(before);
    expect(readdirSync(folder).filter((f) => f.startsWith('.'))).toEqual([]);
  });
  it('lists with --check what differs, and writes nothing', async () => {
    expect(await ssmc(['format', '--check', 'rough.ssm', 'neat.ssm'])).toEqual({ code: 1, out: 'rough.ssm\n', err: '' });
    expect(readFileSync(at('rough.ssm'), 'utf8')).toBe(rough);
    expect((await ssmc(['format', '--check', 'neat.ssm'])).code).toBe(0);
    expect(JSON.parse((await ssmc(['format', '--check', '--json', 'rough.ssm', 'neat.ssm'])).out)).toEqual({ diagnostics: [], different: ['rough.ssm'] });
  });
  it('reports files with faults and leaves them, but formats the others', async () => {
    const r = await ssmc(['format', 'faulty.ssm', 'rough.ssm']);
    expect(r.code).toBe(1);
    expect(r.err).toContain('error[SSM1003]');
    expect(r.err).toContain('faulty.ssm:1:20');
    expect(readFileSync(at('faulty.ssm'), 'utf8')).toBe(faulty);
    expect(readFileSync(at('rough.ssm'), 'utf8')).toBe(neat);
  });
  it('reads standard input and writes standard output', async () => {
    expect(await ssmc(['format', '-'], rough)).toEqual({ code: 0, out: neat, err: '' });
    expect(await ssmc(['format', '--stdin'], neat)).toEqual({ code: 0, out: neat, err: '' });
    expect(await ssmc(['format', '-', '--check'], rough)).toEqual({ code: 1, out: '', err: '' });
    expect(await ssmc(['format', '-'], faulty)).toMatchObject({ code: 1, out: '', err: expect.stringContaining('standard input:1:20') as string });
    expect(await ssmc(['format', '-', 'neat.ssm'])).toMatchObject({ code: 2 });
  });
  it('keeps permissions and links, and refuses what is not text', async () => {
    chmodSync(at('rough.ssm'), 0o640);
    symlinkSync('rough.ssm', at('link.ssm'));
    expect((await ssmc(['format', 'link.ssm'])).code).toBe(0);
    expect(statSync(at('rough.ssm')).mode & 0o777).toBe(0o640);
    expect(readFileSync(at('rough.ssm'), 'utf8')).toBe(neat);
    writeFileSync(at('binary.ssm'), Uint8Array.of(0x2f, 0x2f, 0xff, 0x0a));
    expect(await ssmc(['format', 'binary.ssm'])).toMatchObject({ code: 1, err: expect.stringContaining('not UTF-8') as string });
    expect(await ssmc(['format', 'none.ssm'])).toMatchObject({ code: 1 });
    expect(await ssmc(['format'])).toMatchObject({ code: 2 });
  });
});
