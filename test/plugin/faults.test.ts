/** What a person sees of the plugin while writing: errors at their place, a page that follows the spec, types. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launch, noBrowser } from './browser.js';
import { Project, root } from './project.js';

const spec = (rate: string): string => `import Leak from "./leak.ssm"

/// A running mean.
model Smooth {
  axis c = 2
  input x[t, c]
  output y = Leak(x, rate = ${rate})
}
`;
const leak = (body: string): string => `block Leak(x[t, c], rate) {
  state h[t, c] = rate * h[t-1, c] + ${body}
  output y[t, c] = h[t, c]
}
`;
const main = `import { Smooth } from "./smooth.ssm";
const smooth = await Smooth.load({ weights: {}, device: "wasm" });
const { y } = await smooth.run({ x: Float32Array.of(1, 2, 0, 0) });
if (globalThis.document) document.body.textContent = [...y.data].join(" ");
else console.log([...y.data].join(" "));
`;
const files = { 'smooth.ssm': spec('0.5'), 'leak.ssm': leak('x[t, c]'), 'main.js': main, 'index.html': '<!doctype html><html lang="en"><title>s</title><body></body><script type="module" src="/main.js"></script></html>' };
const packages = ['vite', 'rollup', 'webpack', 'esbuild'];
const broken = leak('y[t, c] + z[t, c]');

describe('an error in an imported file', () => {
  const p = new Project({ ...files, 'leak.ssm': broken }, packages);
  afterAll(() => p.remove());
  const at = `${join(p.folder, 'leak.ssm')}`;

  it('is thrown by rollup with its place and frame', () => {
    const { out } = p.node(`import { rollup } from "rollup"; import { ssmc } from "ssmc/rollup";
      try { await rollup({ input: "main.js", external: [/^ssmc/], plugins: [ssmc()] }); } catch (e) { console.log(JSON.stringify({ message: e.message, loc: e.loc, frame: e.frame, watched: e.watchFiles })); }`);
    const error = JSON.parse(out) as { message: string; loc: object; frame: string; watched: string[] };
    expect(error.message).toContain('SSM2001: `z` is not defined');
    expect(error.loc).toEqual({ file: at, line: 2, column: 47 });
    expect(error.frame).toContain('2 |   state h[t, c] = rate * h[t-1, c] + y[t, c] + z[t, c]');
    expect(error.frame.split('\n').at(-1)).toMatch(/^ {3}\| {48}\^/);
    expect(error.watched).toContain(at);
  });
  it('is reported by esbuild with its place, line and length', () => {
    const { out } = p.node(`import { build } from "esbuild"; import { ssmc } from "ssmc/esbuild";
      try { await build({ entryPoints: ["main.js"], bundle: true, format: "esm", outdir: "dist", logLevel: "silent", plugins: [ssmc()] }); } catch (e) { console.log(JSON.stringify(e.errors)); }`);
    const [error] = JSON.parse(out) as { text: string; location: { file: string; line: number; column: number; lineText: string } }[];
    expect(error?.text).toContain('SSM2001');
    expect(error?.location).toMatchObject({ file: 'leak.ssm', line: 2, column: 47, lineText: broken.split('\n')[1] });
  });
  it('is reported by webpack with its frame', () => {
    const { out } = p.node(`import webpack from "webpack"; import { ssmc } from "ssmc/webpack";
      webpack({ mode: "development", context: process.cwd(), entry: "./main.js", output: { path: process.cwd() + "/dist" }, plugins: [ssmc()] }, (e, stats) => console.log(JSON.stringify(stats.toJson({ errors: true }).errors.map((x) => x.message))));`);
    const [error] = JSON.parse(out) as string[];
    expect(error).toContain('SSM2001: `z` is not defined');
    expect(error).toContain('leak.ssm:2:48');
  });
});

it('a recurrence that may grow is a warning, or an error where it is denied', () => {
  const p = new Project({ ...files, 'smooth.ssm': spec('2') }, packages);
  const bundle = (options: string): string => p.node(`import { build } from "esbuild"; import { ssmc } from "ssmc/esbuild";
    const r = await build({ entryPoints: ["main.js"], bundle: true, format: "esm", outdir: "dist", logLevel: "silent", plugins: [ssmc(${options})] }).catch((e) => e);
    console.log(r.errors.map((e) => e.text).join(), "|", r.warnings.map((e) => e.text).join());`).out;
  expect(bundle('')).toMatch(/^ \| SSM3201: .* by up to 2 a step/);
  expect(bundle('{ deny: "unstable" }')).toMatch(/^SSM3201: /);
  p.remove();
});

it('a file of several models is a module of all of them', () => {
  const second = '\nmodel Sharp {\n  axis c = 3\n  input x[t, c]\n  output y[t, c] = 2 * x[t, c]\n}\n';
  const p = new Project({ ...files, 'smooth.ssm': spec('0.5') + second, 'main.js': `${main.replace('{ Smooth }', '{ Smooth, Sharp }')}const sharp = await Sharp.load({ weights: {}, device: "wasm" });\nconsole.log((await sharp.run({ x: Float32Array.of(1, 2, 3) })).y.data.join(" "));\n` }, packages);
  for (const script of [
    'import { rollup } from "rollup"; import { ssmc } from "ssmc/rollup"; const b = await rollup({ input: "main.js", external: [/^ssmc/], plugins: [ssmc()] }); await b.write({ dir: "dist" });',
    'import { build } from "esbuild"; import { ssmc } from "ssmc/esbuild"; await build({ entryPoints: ["main.js"], bundle: true, platform: "node", format: "esm", outdir: "dist", plugins: [ssmc()] });',
    'import { build } from "vite"; import { ssmc } from "ssmc/vite"; await build({ configFile: false, logLevel: "error", build: { ssr: "main.js", outDir: "dist" }, plugins: [ssmc()] });',
  ]) {
    expect(p.node(script)).toMatchObject({ status: 0, err: '' });
    expect(p.node('await import("./dist/main.js")')).toMatchObject({ status: 0, out: '1 2 0.5 1\n2 4 6\n' });
  }
  const declared = readFileSync(join(p.folder, 'smooth.ssm.d.ts'), 'utf8');
  expect(declared.match(/export declare class (\w+)/g)).toEqual(['export declare class Smooth', 'export declare class Sharp']);
  expect(declared.match(/^import /gm)).toHaveLength(1);
  p.remove();
});

describe('types', () => {
  const uses = 'import { Smooth } from "./smooth.ssm";\nconst s = await Smooth.load();\nconst { y } = await s.run({ x: new Float32Array(4) });\nexport const first: Float32Array = y.data;\n';
  const tsc = (folder: string, args: readonly string[]): string => {
    const r = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--target', 'es2022', '--types', '', ...args, 'uses.ts'], { cwd: folder, encoding: 'utf8' });
    return r.stdout + r.stderr;
  };
  const build = (options: string): string => `import { build } from "esbuild"; import { ssmc } from "ssmc/esbuild"; await build({ entryPoints: ["main.js"], bundle: true, format: "esm", outdir: "dist", plugins: [ssmc(${options})] });`;
  it.each([
    ['beside the spec, for bundler resolution', '', 'smooth.ssm.d.ts', ['--module', 'esnext', '--moduleResolution', 'bundler']],
    ['as an arbitrary extension, for nodenext', '{ types: "arbitrary" }', 'smooth.d.ssm.ts', ['--module', 'nodenext', '--allowArbitraryExtensions']],
  ] as const)('%s', (_, options, file, args) => {
    const p = new Project({ ...files, 'uses.ts': uses }, packages);
    expect(p.node(build(options)).status).toBe(0);
    expect(existsSync(join(p.folder, file))).toBe(true);
    expect(tsc(p.folder, args)).toBe('');
    p.write({ 'uses.ts': uses.replace('{ x:', '{ z:') });
    expect(tsc(p.folder, args)).toContain("'z' does not exist in type 'SmoothInputs'");
    p.remove();
  });
  it('the same by `ssmc types`, before anything is bundled', () => {
    const p = new Project({ ...files, 'uses.ts': uses, 'broken.ssm': 'model B { output y = }' }, packages);
    const ssmc = (...args: string[]): ReturnType<typeof spawnSync> => spawnSync(process.execPath, [join(root, 'dist/src/cli/main.js'), 'types', ...args], { cwd: p.folder, encoding: 'utf8' });
    expect(ssmc('smooth.ssm')).toMatchObject({ status: 0, stdout: '' });
    const written = readFileSync(join(p.folder, 'smooth.ssm.d.ts'), 'utf8');
    expect(tsc(p.folder, ['--module', 'esnext', '--moduleResolution', 'bundler'])).toBe('');
    expect(p.node(build(''))).toMatchObject({ status: 0 });
    expect(readFileSync(join(p.folder, 'smooth.ssm.d.ts'), 'utf8')).toBe(written);
    expect(ssmc('broken.ssm', 'smooth.ssm', '--arbitrary')).toMatchObject({ status: 1, stderr: expect.stringMatching(/SSM1003[\s\S]*smooth\.d\.ssm\.ts\n$/) as string });
    p.remove();
  });
  it('none where none are wanted', () => {
    const p = new Project(files, packages);
    expect(p.node(build('{ types: "none" }')).status).toBe(0);
    expect(existsSync(join(p.folder, 'smooth.ssm.d.ts'))).toBe(false);
    p.remove();
  });
});

describe.skipIf(noBrowser !== undefined)("vite's development server", () => {
  const p = new Project(files, packages);
  let browser: Browser;
  let server: ChildProcess;
  let origin = '';
  beforeAll(async () => {
    browser = await launch();
    server = spawn(process.execPath, ['--input-type=module', '-e', `import { createServer } from "vite"; import { ssmc } from "ssmc/vite";
      const s = await createServer({ configFile: false, logLevel: "silent", server: { host: "127.0.0.1", port: 0, watch: { usePolling: true, interval: 50 } }, plugins: [ssmc()] });
      await s.listen(); console.log("http://127.0.0.1:" + s.httpServer.address().port);`], { cwd: p.folder, stdio: ['ignore', 'pipe', 'inherit'] });
    origin = await new Promise((done) => { server.stdout?.once('data', (d: Buffer) => done(d.toString().trim())); });
  });
  afterAll(async () => {
    await browser?.close();
    server?.kill();
    p.remove();
  });
  it('shows the answer, follows changes of the spec and of what it imports, and shows errors over the page', async () => {
    const page = await browser.newPage();
    await page.goto(origin);
    const shows = (text: string): Promise<unknown> => page.waitForFunction(`document.body.textContent === ${JSON.stringify(text)}`, undefined, { timeout: 60_000 });
    await shows('1 2 0.5 1');
    p.write({ 'smooth.ssm': spec('0.25') });
    await shows('1 2 0.25 0.5');
    p.write({ 'leak.ssm': leak('10 * x[t, c]') });
    await shows('10 20 2.5 5');
    p.write({ 'leak.ssm': broken });
    const overlay = page.locator('vite-error-overlay');
    await overlay.waitFor({ timeout: 60_000 });
    const text: string = await page.evaluate('[...document.querySelector("vite-error-overlay").shadowRoot.querySelectorAll("pre")].map((e) => e.textContent).join("\\n")');
    expect(text).toContain('SSM2001: `z` is not defined');
    expect(text).toContain('leak.ssm:2:48');
    expect(text).toContain('2 |   state h[t, c] = rate * h[t-1, c] + y[t, c] + z[t, c]');
    p.write({ 'leak.ssm': leak('x[t, c]') });
    await shows('1 2 0.25 0.5');
    await page.close();
  });
});
