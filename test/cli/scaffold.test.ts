/** A new user's path: the packed package in an empty folder, `ssmc init`, a build, the page in chromium and the script in Node. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import type { Io } from '../../src/cli/io.js';
import { launch, noBrowser, open, serve } from '../plugin/browser.js';
import { installPacked, packageJson } from './packed.js';

const home = mkdtempSync(join(tmpdir(), 'ssmc-new-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
let packages: ReadonlySet<string>;
beforeAll(() => {
  packages = installPacked(home, ['vite', 'unplugin']).packages;
});
const ssmc = (cwd: string, ...args: string[]): { status: number | null; out: string; err: string } => {
  const r = spawnSync(process.execPath, [join(home, 'node_modules/.bin/ssmc'), ...args], { cwd, encoding: 'utf8' });
  return { status: r.status, out: r.stdout, err: r.stderr };
};
/** A script of its package.json, as npm runs it. */
const npm = (folder: string, script: string): string => execFileSync('npm', ['run', '--silent', script], { cwd: join(home, folder), encoding: 'utf8' });

describe('what is installed', () => {
  it('is less than 40 MB, and runs no script when it is installed', () => {
    const bytes = (path: string): number => (statSync(path).isDirectory() ? readdirSync(path).reduce((n, f) => n + bytes(join(path, f)), 0) : statSync(path).size);
    const folders = ['ssmc', ...packages].map((name) => realpathSync(join(home, 'node_modules', name)));
    expect(folders.length).toBeGreaterThan(5);
    expect(folders.reduce((n, f) => n + bytes(f), 0)).toBeLessThan(40e6);
    for (const f of folders) expect([f, Object.keys(packageJson(f).scripts ?? {}).filter((s) => /^(pre|post)?install$/.test(s))]).toEqual([f, []]);
  });
});

describe('ssmc init', () => {
  it('writes a script for Node that builds and runs', () => {
    expect(ssmc(home, 'init', 'script', '--template', 'node')).toMatchObject({ status: 0, out: '' });
    npm('script', 'build');
    const lines = npm('script', 'start').trim().split('\n');
    expect(lines[0]).toBe('12 strings, 72 steps, on wasm');
    expect(lines).toHaveLength(13);
    expect(lines[1]?.slice(0, 6)).toBe('██████');
    const before = readFileSync(join(home, 'script/strings.safetensors'));
    npm('script', 'weights');
    expect(readFileSync(join(home, 'script/strings.safetensors')).equals(before)).toBe(true);
  });
  it('refuses a folder that has files, and takes an empty one with a repository', () => {
    expect(ssmc(home, 'init', 'script')).toMatchObject({ status: 1, err: expect.stringContaining('`script` is not empty: it has `.gitignore`') as string });
    const inside = mkdtempSync(join(home, 'mine-'));
    execFileSync('git', ['init', '-q'], { cwd: inside });
    const { status, out } = ssmc(inside, 'init', '--json');
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ next: ['npm install', 'npm run dev'] });
    expect(existsSync(join(inside, 'src/strings.ssm'))).toBe(true);
  });

  describe.skipIf(noBrowser !== undefined)('a page', () => {
    let browser: Browser;
    beforeAll(async () => { browser = await launch(); });
    afterAll(() => browser?.close());
    it('builds, and its strings ring when they are struck', async () => {
      expect(ssmc(home, 'init', 'page').status).toBe(0);
      npm('page', 'build');
      const { origin, server } = await serve([join(home, 'page/dist')]);
      const { page, complaints } = await open(browser, origin);
      await page.waitForFunction('/^running on (wasm|webgpu)$/.test(document.querySelector("#device").textContent)', undefined, { timeout: 60_000 });
      const ink = 'document.querySelector("#view").getContext("2d").getImageData(0, 0, 880, 400).data.reduce((n, v, k) => n + (k % 4 === 3 && v > 0 ? 1 : 0), 0)';
      // Twelve lines at rest take 12 pixels of each column; ringing ones take more.
      await page.waitForFunction(`${ink} > 20000`, undefined, { timeout: 60_000 });
      await page.click('#strike');
      expect(complaints).toEqual([]);
      await page.close();
      server.close();
    });
  });
});

describe('ssmc doctor', () => {
  it('tries what works here, and says why the rest does not', () => {
    const { status, out } = ssmc(home, 'doctor');
    expect(status).toBe(0);
    expect(out).toMatch(/^ssmc \S+, Node \S+, /);
    expect(out).toMatch(/✓ interpreter +float64/);
    expect(out).toMatch(/✓ wasm +WebAssembly with 128-bit SIMD \(error \d\.\de-\d\)/);
    // The package `webgpu` is not among what is installed.
    expect(out).toMatch(/✗ webgpu +the package `webgpu`.* is not installed here.*\n +to have it: npm install webgpu\n/);
    expect(out).toMatch(/✗ cuda +(the CUDA addon cannot be used here: .*\n +to have it: npm run build:cuda|there is no CUDA (driver|device): )/);
  });
  it('as JSON, with the adapter where there is one', async () => {
    let out = '';
    const io: Io = { out: (t) => { out += t; }, err: () => undefined, cwd: home, colour: false, terminal: false };
    expect(await main(['doctor', '--json'], io)).toBe(0);
    const { devices } = JSON.parse(out) as { devices: { name: string; works: boolean; error?: number; limits?: object; fix?: string }[] };
    expect(devices.map((d) => d.name)).toEqual(['interpreter', 'wasm', 'wasm, relaxed SIMD', 'webgpu', 'cuda', 'nvcc']);
    for (const d of devices.filter((x) => x.works && x.error !== undefined)) expect(d.error).toBeLessThan(1e-5);
    const gpu = devices.find((d) => d.name === 'webgpu');
    expect(gpu?.works === true ? gpu.limits : gpu?.fix).toBeDefined();
  });
});
