/** The command line at its edges: bad calls, bad files, watching, weights that sharpen bounds, progress. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { Progress } from '../../src/cli/progress.js';
import { readSafetensors, writeSafetensors } from '../../src/runtime/index.js';

const folder = mkdtempSync(join(tmpdir(), 'ssmc-edges-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const write = (name: string, text: string | Uint8Array): void => writeFileSync(join(folder, name), text);
interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
async function ssmc(...argv: string[]): Promise<Result> {
  let out = '';
  let err = '';
  const code = await main(argv, { out: (t) => { out += t; }, err: (t) => { err += t; }, cwd: folder, colour: false, terminal: false });
  return { code, out, err };
}
const json = (r: Result): Record<string, unknown> => JSON.parse(r.out) as Record<string, unknown>;
const small = (body: string): string => `model Small {\n  axis c = 5\n  input x[t, c]\n${body}\n  output y[t, c] = h[t, c]\n}\n`;
write('package.json', '{}');
write('small.ssm', small('  param a[c] = uniform(0, 0.9)\n  state h[t, c] = a[c] * h[t-1, c] + x[t, c]'));
const tensors = (values: readonly number[]): Uint8Array => writeSafetensors({ a: { data: Float32Array.from(values), shape: [values.length] } });
write('w.safetensors', tensors([0.1, -0.5, 0.25, 0, 0.3]));
write('grows.safetensors', tensors([0.1, 2, 0.25, 0, 0.3]));
write('short.safetensors', tensors([0.1]));

describe('calls', () => {
  const wrong: readonly (readonly [argv: readonly string[], message: string])[] = [
    [[], 'ssmc COMMAND --help'],
    [['chek'], 'did you mean `check`?'],
    [['chekc'], 'did you mean `check`?'],
    [['doctor', 'extra'], 'it takes no arguments, got `extra`'],
    [['lsp', 'extra'], 'it takes no arguments, got `extra`'],
    [['bench', 'nope'], 'there is no bench `nope`; `ssmc bench --list` names those that there are'],
    [['check'], 'which spec?'],
    [['compile', 'small.ssm', 'other.ssm'], 'one spec, not 2'],
    [['compile', 'small.ssm', '--watch', '--check'], 'not both'],
    [['check', '-x', 'small.ssm'], "Unknown option '-x'"],
    [['compile', 'small.ssm', '-o'], 'argument missing'],
    [['explain', 'small.ssm', '--batch', '0'], 'a whole number from 1'],
    [['explain', 'small.ssm', '--after', 'nothing'], 'there is no pass `nothing`'],
    [['run', 'small.ssm'], '--input is missing'],
    [['run', 'small.ssm', '--input', 'a', '--output', 'b', '--trace', 'h'], '--trace needs --device interpreter'],
    [['run', 'small.ssm', '--weights', 'w.safetensors', '--input', 'x.safetensors', '--output', 'y', '--lengths', '1,b'], 'whole numbers between commas'],
    [['weights', 'small.ssm', '--init', '1'], '--init needs --out'],
    [['run', 'small.ssm', '--lengths', '-1'], "Option '--lengths' argument is ambiguous\nusage:"],
  ];
  write('x.safetensors', writeSafetensors({ x: { data: new Float32Array(15), shape: [1, 3, 5] } }));
  it.each(wrong.map(([argv, message]) => [`ssmc ${argv.join(' ')}`, argv, message] as const))('%s is wrong usage', async (_, argv, message) => {
    expect(await ssmc(...argv)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(message) as string });
  });
  const faults: readonly (readonly [argv: readonly string[], message: string])[] = [
    [['compile', '.'], 'is a folder'],
    [['check', 'none.ssm'], "can't find `none.ssm`"],
    [['check', 'small.ssm', '--model', 'Smal'], 'did you mean `Small`?'],
    [['check', 'small.ssm', '--weights', 'none'], "can't read weights `none`"],
    [['check', 'small.ssm', '--weights', 'small.ssm'], 'SSM5002'],
    [['check', 'small.ssm', '--weights', 'short.safetensors'], 'expected shape [5], got [1]'],
    [['weights', 'small.ssm', '--init', '1', '--out', 'no/such/folder'], 'no such file or directory'],
    [['compile', 'small.ssm', '-o', 'small.ssm'], 'is a file, not a folder'],
    [['run', 'small.ssm', '--input', 'x.safetensors', '--output', 'y'], 'ssmc weights small.ssm --init'],
    [['run', 'small.ssm', '--weights', 'w.safetensors', '--input', 'w.safetensors', '--output', 'y'], 'lacks `x`; it has `a`'],
    [['run', 'small.ssm', '--weights', 'w.safetensors', '--input', 'x.safetensors', '--output', 'y', '--lengths', '4'], 'SSM5108'],
    [['run', 'small.ssm', '--weights', 'w.safetensors', '--input', 'x.safetensors', '--output', 'y', '--device', 'interpreter', '--trace', 'hh'], 'no definition `hh`; there are x, a, h, y'],
  ];
  it.each(faults.map(([argv, message]) => [`ssmc ${argv.join(' ')}`, argv, message] as const))('%s is a fault of the input', async (_, argv, message) => {
    expect(await ssmc(...argv)).toMatchObject({ code: 1, out: '', err: expect.stringContaining(message) as string });
    const told = await ssmc(...argv, '--json');
    expect(told.code).toBe(1);
    expect(told.out).toBe(`${JSON.stringify(JSON.parse(told.out))}\n`);
  });
  it('help CMD is CMD --help', async () => {
    expect(await ssmc('help', 'check')).toEqual(await ssmc('check', '--help'));
    expect(await ssmc('help')).toMatchObject({ code: 0, err: '' });
  });
  it('goes on with the other specs', async () => {
    const r = await ssmc('check', 'none.ssm', 'small.ssm');
    expect(r.code).toBe(1);
    expect(r.err).toContain('small.ssm: h:');
  });
  it('gives one JSON object, and nothing but it, on standard output', async () => {
    for (const argv of [
      ['check', 'small.ssm'], ['compile', 'small.ssm', '-o', 'gen'], ['compile', 'small.ssm', '-o', 'gen', '--check'], ['explain', 'small.ssm'], ['explain', 'small.ssm', '--after', 'simplify', '--kernels'],
      ['weights', 'small.ssm'], ['weights', 'small.ssm', '--init', '1', '--out', 'made'], ['weights', 'small.ssm', '--check', 'made'], ['verify', 'small.ssm', '--steps', '3'],
      ['run', 'small.ssm', '--weights', 'w.safetensors', '--input', 'x.safetensors', '--output', 'y'], ['format', 'small.ssm'],
    ]) expect(await ssmc(...argv, '--json')).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^[{[].*\n$/) as string });
  });
});

describe('stability with weights', () => {
  it('nothing is known of a free coefficient, the weights bound it', async () => {
    expect((await ssmc('check', 'small.ssm')).err).toContain('h: nothing is proved about its growth');
    expect((await ssmc('check', 'small.ssm', '--weights', 'w.safetensors')).err).toContain('h: a contraction, proved, bound 0.5, memory of 2 steps at most');
    expect((await ssmc('explain', 'small.ssm', '--weights', 'w.safetensors')).out).toContain('bound 0.5');
    expect(json(await ssmc('check', 'small.ssm', '--weights', 'w.safetensors', '--json'))['stability']).toMatchObject([{ verdict: 'contraction', bound: 0.5, memory: 2 }]);
  });
  it('a coefficient above 1 warns, and is an error on request', async () => {
    const r = await ssmc('check', 'small.ssm', '--weights', 'grows.safetensors');
    expect(r.code).toBe(0);
    expect(r.err).toContain('warning[SSM3201]: the states of `h` can grow by up to 2 a step: float32 overflows after 128 steps');
    expect(await ssmc('compile', 'small.ssm', '-o', 'denied', '--weights', 'grows.safetensors', '--deny', 'unstable')).toMatchObject({ code: 1, err: expect.stringContaining('error[SSM3201]') as string });
  });
});

describe('compile --watch', () => {
  it('compiles again when the spec or an import changes, appears or breaks', async () => {
    mkdirSync(join(folder, 'blocks'));
    write('blocks/gate.ssm', 'block Gate(x[t, c]) {\n  output y[t, c] = 2 * x[t, c]\n}\n');
    write('top.ssm', 'import Gate from "./blocks/gate.ssm"\nmodel Top {\n  axis c = 2\n  input x[t, c]\n  output y = Gate(x)\n}\n');
    const stop = new AbortController();
    let err = '';
    const ended = main(['compile', 'top.ssm', '-o', 'watched', '--watch'], { out: () => undefined, err: (t) => { err += t; }, cwd: folder, colour: false, terminal: false, stop: stop.signal });
    const until = async (text: string): Promise<void> => {
      for (const end = Date.now() + 30_000; !err.includes(text) && Date.now() < end;) await new Promise((done) => setTimeout(done, 20));
      expect(err).toContain(text);
      err = '';
    };
    const module = (): string => readFileSync(join(folder, 'watched/top.js'), 'utf8');
    await until('watching 2 files');
    const first = module();
    write('blocks/gate.ssm', 'block Gate(x[t, c]) {\n  output y[t, c] = 3 * x[t, c] + nope\n}\n');
    await until('`nope` is not defined');
    expect(module()).toBe(first);
    rmSync(join(folder, 'blocks/gate.ssm'));
    await until("can't find `./blocks/gate.ssm`");
    write('blocks/gate.ssm', 'block Gate(x[t, c]) {\n  output y[t, c] = 3 * x[t, c]\n}\n');
    await until('watching 2 files');
    expect(module()).not.toBe(first);
    stop.abort();
    expect(await ended).toBe(0);
  });
});

describe('progress', () => {
  it('shows on a terminal from the second second on, and leaves nothing behind', async () => {
    let err = '';
    const io = { out: () => undefined, err: (t: string) => { err += t; }, cwd: folder, colour: false, terminal: true };
    const p = new Progress(io);
    p.step('early');
    p.done();
    expect(err).toBe('');
    await new Promise((done) => setTimeout(done, 1050));
    p.step('late', 0.417);
    expect(err).toBe('\r\x1b[Klate 41 %');
    p.done();
    expect(err.endsWith('\r\x1b[K')).toBe(true);
    const silent = new Progress({ ...io, terminal: false });
    err = '';
    silent.step('nothing');
    silent.done();
    expect(err).toBe('');
  });
  it('is told by the interpreter, which finds traces', async () => {
    expect((await ssmc('run', 'small.ssm', '--weights', 'w.safetensors', '--input', 'x.safetensors', '--output', 'traced', '--device', 'interpreter', '--trace', 'h')).code).toBe(0);
    expect(readSafetensors(new Uint8Array(readFileSync(join(folder, 'traced')))).tensor('h').shape).toEqual([1, 3, 5]);
  });
});

describe('files that are not what they seem', () => {
  const noText = Buffer.from('\ufeffmodel M { }', 'utf16le');
  it('no text in UTF-8', async () => {
    write('utf16.ssm', noText);
    for (const command of ['check', 'compile', 'explain', 'weights']) {
      const r = await ssmc(command, 'utf16.ssm');
      expect([r.code, r.err]).toEqual([1, 'ssmc: `utf16.ssm` is no text in UTF-8, as specs are: it has zero bytes\n']);
    }
    write('imports.ssm', `import B from "./utf16.ssm"\n${small('  h[t, c] = x[t, c]')}`);
    expect((await ssmc('check', 'imports.ssm')).err).toContain('`utf16.ssm` is no text in UTF-8');
  });
  it.each([['a mark of byte order', '\ufeff', '\n'], ['line ends of Windows', '', '\r\n'], ['tabs', '', '\n\t']])('%s changes nothing', async (_, before, end) => {
    write('other.ssm', before + small('  state h[t, c] = 0.5 * h[t-1, c] + x[t, c]').replaceAll('\n', end));
    expect(await ssmc('check', 'other.ssm')).toMatchObject({ code: 0, err: expect.stringContaining('h: a contraction, proved') as string });
    write('other.ssm', before + small('  state h[t, c] = 0.5 * h[t-1, c] + q[t, c]').replaceAll('\n', end));
    const { err } = await ssmc('check', 'other.ssm');
    const lines = err.split('\n');
    expect(lines[0]).toContain('`q` is not defined');
    const [source = '', carets = ''] = lines.slice(3);
    expect(source.slice(carets.indexOf('^'), carets.indexOf('^') + 1)).toBe('q');
  });
  it('a long line is shown around the place', async () => {
    for (const at of [0, 500, 990]) {
      const terms = Array.from({ length: 900 }, (_, k) => (k === Math.floor(at / 1.1) ? 'unknown[t, c]' : 'x[t, c]')).join(' + ');
      write('long.ssm', small(`  h[t, c] = ${terms}`));
      const lines = (await ssmc('check', 'long.ssm')).err.split('\n');
      const [source = '', carets = ''] = lines.slice(3);
      expect(source.length).toBeLessThan(180);
      expect(source.slice(carets.indexOf('^'), carets.lastIndexOf('^') + 1)).toBe('unknown');
      expect(source.includes('…')).toBe(true);
    }
  });
  it('control characters of a spec are not sent to the terminal', async () => {
    write('escapes.ssm', small('  h[t, c] = x[t, c] \u001b[31m + q'));
    const { err } = await ssmc('check', 'escapes.ssm');
    expect(err).toContain('SSM1002');
    expect(err).not.toContain('\u001b');
  });
  it('an axis of a size that is none is told of once', async () => {
    write('sizes.ssm', small('  h[t, c] = x[t, c]').replace('c = 5', 'c = -5'));
    expect((await ssmc('check', 'sizes.ssm')).err.match(/SSM\d+/g)).toEqual(['SSM2018']);
  });
  it('a file where a folder is to be written', async () => {
    for (const argv of [['compile', 'small.ssm', '-o', 'package.json'], ['init', 'package.json']]) {
      expect(await ssmc(...argv)).toMatchObject({ code: 1, err: `ssmc: \`${join(folder, 'package.json')}\` is a file, not a folder\n` });
    }
    expect(readFileSync(join(folder, 'package.json'), 'utf8')).toBe('{}');
  });
  it('weights of whole numbers: `weights --check` says what `run` says', async () => {
    const header = new TextEncoder().encode(JSON.stringify({ a: { dtype: 'I32', shape: [5], data_offsets: [0, 20] } }));
    const bytes = new Uint8Array(8 + header.length + 20);
    bytes[0] = header.length;
    bytes.set(header, 8);
    write('whole.safetensors', bytes);
    expect(await ssmc('weights', 'small.ssm', '--check', 'whole.safetensors')).toMatchObject({ code: 1, out: 'a: expected dtype F32, F16, BF16 or F64, got I32\n' });
    for (const device of ['wasm', 'interpreter']) {
      const { code, err } = await ssmc('run', 'small.ssm', '--weights', 'whole.safetensors', '--input', 'x.safetensors', '--output', 'y', '--device', device);
      expect([code, err]).toEqual([1, 'ssmc: SSM5004: the weights do not fit the model: `a`: expected dtype F32, F16, BF16 or F64, got I32\n']);
    }
  });
});
