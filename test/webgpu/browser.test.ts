import { createServer, type Server } from 'node:http';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { build } from 'esbuild';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.js';
import { outputOf } from '../../src/cli/compile.js';
import { openSpec, type Io } from '../../src/cli/io.js';
import { normwise, type Doubles } from '../../src/cli/tensors.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { readSafetensors, writeSafetensors } from '../../src/runtime/index.js';
import { randomInputs } from '../random/agree.js';
import { missing } from './device.js';

const root = join(import.meta.dirname, '../..');
const browserPath = '/usr/bin/chromium';
const flags = ['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];
const TOLERANCE = 1e-5;

const io: Io = { out: () => undefined, err: () => undefined, cwd: root, colour: false, terminal: false };
/** The page's folder: a generated module bundled as a bundler would, its assets beside it. */
let files: Map<string, Uint8Array>;
let server: Server;
let browser: Browser;
let origin = '';

/** Compiles a spec and bundles its module; the URL constructors in it stay, and find the assets beside the bundle. */
async function page(spec: string, weights: Uint8Array): Promise<string> {
  const opened = openSpec(spec, io);
  const { module, program } = compile(opened.entry, opened.host, { specHash: '0'.repeat(64), webgpu: true });
  if (!module || !program) throw new Error(`${spec} does not compile`);
  const { output, base } = outputOf({ opened, module, program, compilation: { diagnostics: [], builder: undefined as never } }, false);
  const folder = mkdtempSync(join(tmpdir(), 'ssmc-page-'));
  for (const [name, text] of output.entries) files.set(`/${name}`, new TextEncoder().encode(text));
  for (const [name, bytes] of output.assets) files.set(`/${name}`, bytes);
  const bundled = await build({
    stdin: { contents: output.entries.get(`${base}.js`) as string, resolveDir: root, sourcefile: `${base}.js` }, bundle: true, format: 'esm', splitting: true, outdir: folder, write: false, platform: 'browser',
    alias: { 'ssmc/runtime/webgpu': join(root, 'src/runtime/webgpu/index.ts'), 'ssmc/runtime': join(root, 'src/runtime/index.ts') }, entryNames: base,
  });
  for (const f of bundled.outputFiles) files.set(f.path.slice(folder.length), f.contents);
  rmSync(folder, { recursive: true });
  files.set(`/${base}.safetensors`, weights);
  return base;
}
const types: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.html': 'text/html', '.wasm': 'application/wasm', '.json': 'application/json' };

/** What the page does with a module: as a user's page would. */
const script = `
window.answer = async ({ base, name, device, output, given }) => {
  const module = await import('/' + base + '.js');
  const model = await module[name].load({ weights: location.origin + '/' + base + '.safetensors', device });
  const inputs = Object.fromEntries(Object.entries(given).map(([n, t]) => [n, { data: Float32Array.from(t.data), shape: t.shape }]));
  const out = await model.run(inputs);
  const answered = { device: model.device.name, logits: [...out[output].data] };
  model.dispose();
  return answered;
};`;
interface Answer {
  readonly device: string;
  readonly logits: readonly number[];
}
/** Loads the module in the page on a device, and runs it. */
async function answer(base: string, name: string, device: string, inputs: ReadonlyMap<string, Doubles>, output: string): Promise<Answer> {
  const tab = await browser.newPage();
  const complaints: string[] = [];
  tab.on('pageerror', (e) => complaints.push(e.message));
  await tab.goto(`${origin}/`);
  const given = Object.fromEntries([...inputs].map(([n, t]) => [n, { data: [...t.data], shape: [...t.shape] }]));
  await tab.waitForFunction('typeof answer === "function"');
  const result: Answer = await tab.evaluate(`answer(${JSON.stringify({ base, name, device, output, given })})`);
  await tab.close();
  expect(complaints).toEqual([]);
  return result;
}

describe.skipIf(missing !== undefined || !existsSync(browserPath))('a page that imports a generated module', () => {
  beforeAll(async () => {
    files = new Map([['/', new TextEncoder().encode(`<!doctype html><title>ssmc</title><script type="module">${script}</script>`)]]);
    server = createServer((request, response) => {
      const body = files.get(request.url ?? '');
      response.writeHead(body ? 200 : 404, { 'content-type': types[extname(request.url ?? '')] ?? (request.url === '/' ? 'text/html' : 'application/octet-stream') });
      response.end(body);
    });
    await new Promise<void>((done) => { server.listen(0, '127.0.0.1', done); });
    const address = server.address();
    origin = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
    browser = await chromium.launch({ executablePath: browserPath, headless: true, args: flags });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  it('gives the logits of examples/mex on webgpu and on wasm', async () => {
    const data = join(root, 'examples/mex/data');
    const base = await page('examples/mex/mex.ssm', readFileSync(join(data, 'coupled.safetensors')));
    const parity = readSafetensors(readFileSync(join(data, 'parity-coupled.safetensors')));
    const inputs = new Map(['depth', 'pressure', 'accel'].map((n) => { const t = parity.tensor(`input.${n}`); return [n, { shape: t.shape, data: t.toFloat64() }]; }));
    for (const device of ['webgpu', 'wasm']) {
      const got = await answer(base, 'Mex', device, inputs, 'logits');
      expect(got.device).toBe(device);
      expect(normwise(got.logits, parity.tensor('logits_f64').toFloat64())).toBeLessThan(TOLERANCE);
    }
  }, 600_000);

  it('gives what the interpreter says of the MOSEI model, on webgpu and on wasm', async () => {
    const opened = openSpec('examples/coupled-mamba/mosei.ssm', io);
    const { program } = compile(opened.entry, opened.host, { specHash: '' });
    if (!program) throw new Error('it does not compile');
    const weights = new Map([...initialise(program, 3)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
    const base = await page('examples/coupled-mamba/mosei.ssm', writeSafetensors(new Map([...weights].map(([n, t]) => [n, { shape: t.shape, data: Float32Array.from(t.data) }]))));
    const inputs = randomInputs(program, 1, 12, 5);
    const reference = interpret(program, weights, inputs).outputs;
    const [[output, expected]] = reference as unknown as [[string, Doubles]];
    for (const device of ['webgpu', 'wasm']) {
      const got = await answer(base, 'Mosei', device, inputs, output);
      expect(got.device).toBe(device);
      expect(normwise(got.logits, expected.data)).toBeLessThan(TOLERANCE);
    }
  }, 600_000);
});
