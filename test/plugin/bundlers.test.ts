/** Each bundler builds a page with examples/mex by the script that a user would write; what it built is run, and its logits compared. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../webgpu/device.js';
import { launch, noBrowser, open, serve } from './browser.js';
import { app, Project } from './project.js';

const TOLERANCE = 1e-5;
const html = (script: string): string => `<!doctype html><html lang="en"><title>mex</title><script type="module" src="${script}"></script></html>`;
const scripts: Readonly<Record<string, string>> = {
  vite: 'import { build } from "vite"; import { ssmc } from "ssmc/vite"; await build({ configFile: false, logLevel: "error", plugins: [ssmc()] });',
  // Served below the origin's root: every address is relative.
  'vite, relative': 'import { build } from "vite"; import { ssmc } from "ssmc/vite"; await build({ configFile: false, logLevel: "error", base: "./", build: { outDir: "dist/deep/er" }, plugins: [ssmc()] });',
  webpack: `import webpack from "webpack"; import { ssmc } from "ssmc/webpack"; import { writeFileSync } from "node:fs";
    webpack({ mode: "production", context: process.cwd(), entry: "./main.js", output: { path: process.cwd() + "/dist" }, plugins: [ssmc()] }, (error, stats) => {
      if (error || stats.hasErrors()) { console.error(error ?? stats.toString()); process.exitCode = 1; }
      writeFileSync("dist/index.html", ${JSON.stringify(html('/main.js'))});
    });`,
  esbuild: `import { build } from "esbuild"; import { ssmc } from "ssmc/esbuild"; import { writeFileSync } from "node:fs";
    await build({ entryPoints: ["main.js"], bundle: true, minify: true, format: "esm", splitting: true, outdir: "dist", plugins: [ssmc()] });
    writeFileSync("dist/index.html", ${JSON.stringify(html('/main.js'))});`,
};
// Errors alone: on a busy machine vite warns of how long plugins take.
const packages = ['vite', 'rollup', 'webpack', 'esbuild'];
const files = { 'main.js': app, 'index.html': html('/main.js') };
const project = (): Project => new Project(files, packages).addMex();
interface Answer {
  readonly device: string;
  readonly error: number;
  readonly count: number;
}

describe('a build for Node', () => {
  const run = (made: string): string => `const { answer } = await import(${JSON.stringify(made)}); console.log(JSON.stringify(await answer(new URL("file://" + process.cwd() + "/public/"), "auto")));`;
  it.each([
    ['rollup', 'import { rollup } from "rollup"; import { ssmc } from "ssmc/rollup"; const bundle = await rollup({ input: "main.js", external: [/^ssmc\\//], plugins: [ssmc()] }); await bundle.write({ dir: "out", format: "es" });', './out/main.js'],
    ['esbuild', 'import { build } from "esbuild"; import { ssmc } from "ssmc/esbuild"; await build({ entryPoints: ["main.js"], bundle: true, platform: "node", format: "esm", splitting: true, outdir: "out", plugins: [ssmc()] });', './out/main.js'],
    ['vite --ssr', 'import { build } from "vite"; import { ssmc } from "ssmc/vite"; await build({ configFile: false, logLevel: "error", build: { ssr: "main.js", outDir: "out" }, plugins: [ssmc()] });', './out/main.js'],
  ])('by %s answers as float64 does', (_, script, made) => {
    const p = project();
    expect(p.node(script)).toMatchObject({ status: 0, err: '' });
    const { status, out } = p.node(run(made));
    expect(status).toBe(0);
    const { device, error, count } = JSON.parse(out) as Answer;
    expect(device).toBe('wasm');
    expect(count).toBeGreaterThan(7);
    expect(error).toBeLessThan(TOLERANCE);
    p.remove();
  });
});

it("a test of a user's imports a spec in vitest, by the same configuration", () => {
  const p = new Project({
    'vite.config.js': 'import { ssmc } from "ssmc/vite"; export default { plugins: [ssmc()] };',
    'twice.ssm': 'model Twice {\n  axis c = 2\n  input x[t, c]\n  output y[t, c] = 2 * x[t, c]\n}\n',
    'twice.test.js': 'import { expect, it } from "vitest"; import { Twice } from "./twice.ssm";\nit("doubles", async () => { const m = await Twice.load({ device: "wasm" }); expect([...(await m.run({ x: Float32Array.of(1, 2) })).y.data]).toEqual([2, 4]); });',
  }, [...packages, 'vitest']);
  expect(p.node('import { startVitest } from "vitest/node"; const v = await startVitest("test", [], { watch: false }); console.log("failed", v.state.getCountOfFailedTests()); await v.close();').out).toMatch(/1 passed[\s\S]*failed 0\n$/);
  p.remove();
});

describe.skipIf(noBrowser !== undefined)('a page', () => {
  let browser: Browser;
  beforeAll(async () => { browser = await launch(); });
  afterAll(() => browser?.close());

  it.each(Object.entries(scripts))('built by %s answers as float64 does, on each device', async (name, script) => {
    const p = project();
    expect(p.node(script)).toMatchObject({ status: 0, err: '' });
    const { origin, server } = await serve([join(p.folder, 'dist'), join(p.folder, 'public')]);
    const { page, complaints } = await open(browser, `${origin}/${name === 'vite, relative' ? 'deep/er/' : ''}`);
    await page.waitForFunction('typeof answer === "function"');
    for (const device of missing === undefined ? ['wasm', 'webgpu'] : ['wasm']) {
      const answered: Answer = await page.evaluate(`answer(location.origin + "/", ${JSON.stringify(device)})`);
      expect(answered.device).toBe(device);
      expect(answered.error).toBeLessThan(TOLERANCE);
    }
    expect(complaints).toEqual([]);
    await page.close();
    server.close();
    p.remove();
  });
});

it('a production build for wasm and WebGPU is less than 60 KB of script, its kernels beside it', () => {
  const p = project();
  expect(p.node(scripts['vite'] ?? '')).toMatchObject({ status: 0 });
  const made = readdirSync(join(p.folder, 'dist/assets'));
  const script = made.filter((f) => f.endsWith('.js')).reduce((n, f) => n + readFileSync(join(p.folder, 'dist/assets', f)).length, 0);
  expect(script).toBeGreaterThan(40_000);
  expect(script).toBeLessThan(60_000);
  expect(made.map((f) => f.replace(/-.*\./, '.')).sort()).toEqual(['index.js', 'mex.wasm', 'mex.webgpu.json', 'mex.wgsl', 'webgpu.js']);
  p.remove();
});
