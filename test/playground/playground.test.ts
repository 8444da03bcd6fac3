/** The playground, built as it is published and opened in chromium: typing, devices, sliders, links, keys, and what a screen reader is told. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromHash, toHash } from '../../examples/playground/share.js';
import { couplingOf, withCoupling } from '../../examples/playground/states-view.js';
import { launch, noBrowser, open, serve } from '../plugin/browser.js';
import { missing } from '../webgpu/device.js';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'ssmc-playground-'));
const timeout = 60_000;

describe('a link', () => {
  it('holds a spec, and is refused where it is damaged', async () => {
    const text = 'model Ünïcode {\n  axis c = 4 // → ∞\n}\n'.repeat(20);
    const hash = await toHash({ example: 'mex/mex.ssm', text });
    expect(hash).toMatch(/^#example=mex%2Fmex\.ssm&spec=[\w-]+$/);
    expect(hash.length).toBeLessThan(text.length);
    expect(await fromHash(hash)).toEqual({ example: 'mex/mex.ssm', text });
    expect(await fromHash('#example=a.ssm')).toEqual({ example: 'a.ssm' });
    expect(await fromHash(`${hash.slice(0, -20)}AAAA`)).toBeUndefined();
    expect(await fromHash('')).toBeUndefined();
  });
});
describe('the coupling of a spec', () => {
  const mex = readFileSync(join(root, 'examples/mex/mex.ssm'), 'utf8');
  it('is read and changed where all blocks have the same', () => {
    expect(couplingOf(mex)).toBe('mean');
    expect(couplingOf(withCoupling(mex, 'sum'))).toBe('sum');
    expect(withCoupling(mex, 'mean')).toBe(mex);
    expect(couplingOf(`${mex}${mex.replace('coupling = mean', 'coupling = softmax')}`)).toBeUndefined();
    expect(couplingOf('a = CoupledMamba(LayerNorm(x, eps = 1e-5), coupling = full)')).toBe('full');
    expect(couplingOf('model M { }')).toBeUndefined();
  });
});

describe.skipIf(noBrowser !== undefined)('the playground', () => {
  let browser: Browser;
  let server: Server;
  let origin = '';
  beforeAll(async () => {
    const built = spawnSync(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build', '-c', 'examples/playground/vite.config.mjs', '--outDir', join(folder, 'deep/playground'), '--logLevel', 'error'], { cwd: root, encoding: 'utf8' });
    expect(built).toMatchObject({ status: 0, stderr: '' });
    ({ origin, server } = await serve([folder]));
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const address = (hash = ''): string => `${origin}/deep/playground/${hash}`;
  const said = (page: Page, id: string, pattern: RegExp): Promise<unknown> => page.waitForFunction(`${pattern}.test(document.getElementById("${id}").textContent)`, undefined, { timeout });
  const typed = async (page: Page, text: string): Promise<void> => {
    await page.click('.cm-content');
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText(text);
  };
  const count = (page: Page, selector: string): Promise<number> => page.locator(selector).count();

  it('runs the model on each device, follows the sliders, and says what each modality gave', async () => {
    const { page, complaints } = await open(browser, address());
    await said(page, 'ran', missing === undefined ? /^Ran on WebAssembly .*webgpu was passed over: .* is a CPU that plays a GPU/ : /^Ran on/);
    if (missing === undefined) {
      await page.selectOption('#device', 'webgpu');
      await said(page, 'ran', /^Ran on WebGPU/);
    }
    await page.selectOption('#device', 'wasm');
    await said(page, 'ran', /^Ran on WebAssembly in [\d.]+ ms, trained weights/);
    await page.waitForFunction('document.querySelectorAll("table.scores thead th").length === 6', undefined, { timeout });
    const table: number[][] = await page.evaluate('[...document.querySelectorAll("table.scores tbody tr")].map((r) => [...r.querySelectorAll("td")].slice(0, 5).map((c) => Number(c.textContent)))');
    expect(table).toHaveLength(7);
    // The parts are those of the float64 interpreter, the score is the device's: three digits are shown.
    for (const [score = 0, ...parts] of table) expect(Math.abs(score - parts.reduce((a, b) => a + b, 0))).toBeLessThan(0.03);
    let right = 0;
    for (let k = 0; k < 10; k++) {
      if (k > 0) await page.locator('#window').press('ArrowRight');
      await said(page, 'window-label', new RegExp(`^Recording ${k + 1} of 50: `));
      await page.waitForFunction('document.querySelector("#outputs p") !== null');
      await page.waitForTimeout(150);
      if ((await page.textContent('#outputs p')) === 'It is right.') right++;
    }
    expect(right).toBeGreaterThan(6);
    await page.locator('#moment').press('End');
    await said(page, 'moment-label', /^Moment: 6\.3 s/);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('shows states over time, and that sums make them grow', async () => {
    const { page, complaints } = await open(browser, address());
    await page.click('#tab-states');
    await said(page, 'tracing', /^By the float64 interpreter\. Dashed: .* instead of `mean`/);
    expect(await count(page, '#states svg')).toBe(4);
    expect(await count(page, '#states path.ghost')).toBe(6);
    expect(await page.textContent('#stability')).toContain('non-expansive, proved, bound 1');
    const words = await page.locator('#states svg').nth(1).getAttribute('aria-label');
    expect(Number(/depth, summed: from \S+ to (\S+),/.exec(words ?? '')?.[1])).toBeGreaterThan(1e20);
    await page.check('[name="coupling"][value="sum"]');
    await said(page, 'stability', /may grow, bound 3, float32 overflows after 81 steps/);
    expect(await page.textContent('#problems')).toContain('SSM3201');
    expect(await page.textContent('.cm-content')).toContain('coupling = sum');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('says what is wrong while one types, mends it, and completes names', async () => {
    const { page, complaints } = await open(browser, address('#example=mamba/mamba.ssm'));
    await said(page, 'compiled', /compiled in/);
    await typed(page, 'model M {\n  axis c = 4\n  input signal[t, c]\n  output y[t, c] = 2 * sginal[t, c]\n}\n');
    await page.waitForSelector('#problems .error');
    expect(await page.textContent('#problems')).toContain('SSM2001: `sginal` is not defined; did you mean `signal`?');
    expect(await count(page, '.cm-lintRange-error')).toBe(1);
    await page.click('#problems .error');
    await page.keyboard.press('Control+Shift+M');
    await page.click('.cm-diagnosticAction');
    await said(page, 'compiled', /compiled in/);
    expect(await page.textContent('.cm-content')).toContain('2 * signal[t, c]');
    await said(page, 'ran', /^Ran on/);
    expect(await count(page, '#outputs svg')).toBe(1);
    await page.click('.cm-line:nth-child(4)');
    await page.keyboard.press('End');
    await page.keyboard.type(' * softp');
    await page.waitForSelector('.cm-tooltip-autocomplete');
    expect(await page.textContent('.cm-tooltip-autocomplete')).toContain('softplus');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("shows each stage's equations beside its kernel", async () => {
    const { page, complaints } = await open(browser, address());
    await said(page, 'compiled', /compiled in/);
    await page.click('#tab-kernels');
    const scan = page.locator('#kernels details', { hasText: 'layers.0.y' }).first();
    expect(await scan.locator('summary').textContent()).toContain('3 chains in one scan');
    await scan.locator('summary').click();
    const [equations, kernel] = await scan.locator('.scroll').allTextContents();
    expect(equations).toContain('state h[t, m, d, n]');
    expect(kernel).toMatch(/^@compute @workgroup_size\(\d+\)\s+fn k\d+_layers_0_y\(/);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('keeps the spec in its address', async () => {
    const { page } = await open(browser, address('#example=mamba/mamba.ssm'));
    await said(page, 'compiled', /compiled in/);
    const text = 'model Kept {\n  axis c = 2\n  input x[t, c]\n  output y[t, c] = 3 * x[t, c]\n}\n';
    await typed(page, text);
    await page.waitForFunction('location.hash.includes("spec=")', undefined, { timeout });
    const { page: second } = await open(browser, page.url());
    await said(second, 'ran', /^Ran on/);
    expect(await second.textContent('.cm-content')).toContain('model Kept');
    await second.close();
    await page.close();
  });

  it('opens every example', async () => {
    const { page, complaints } = await open(browser, address());
    for (const name of await page.locator('#example option').allTextContents()) {
      await page.selectOption('#device', 'wasm');
      await page.selectOption('#example', name);
      await said(page, 'compiled', /compiled in/);
      await said(page, 'ran', /^Ran on WebAssembly/);
    }
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('is usable by keys alone: tabs by arrows, Tab leaves the editor', async () => {
    const { page } = await open(browser, address());
    await said(page, 'tracing', /Dashed/);
    await page.focus('#tab-run');
    await page.keyboard.press('ArrowRight');
    expect(await page.getAttribute('#tab-states', 'aria-selected')).toBe('true');
    expect(await page.isVisible('#view-states')).toBe(true);
    expect(await page.isVisible('#view-run')).toBe(false);
    await page.keyboard.press('End');
    expect(await page.evaluate('document.activeElement.id')).toBe('tab-kernels');
    await page.focus('.cm-content');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.closest(".cm-editor") === null')).toBe(true);
    await page.close();
  });

  it.each([1280, 768, 360])('has no serious fault of accessibility and nothing beyond the edge at %i pixels', async (width) => {
    const { page } = await open(browser, address());
    await page.setViewportSize({ width, height: 800 });
    await said(page, 'tracing', /Dashed/);
    await page.addScriptTag({ path: join(root, 'node_modules/axe-core/axe.min.js') });
    for (const tab of ['run', 'states', 'kernels']) {
      await page.click(`#tab-${tab}`);
      if (tab === 'kernels') await page.click('#kernels details:nth-child(12) summary');
      const faults = await page.evaluate('axe.run().then((r) => r.violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => v.id + ": " + v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(", ")))');
      expect(faults).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    }
    await page.close();
  });
});
