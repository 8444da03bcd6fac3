/** The report as a page: its parts by themselves, that names stay text, and the page in chromium, narrow and wide, light and dark. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import type { Io } from '../../src/cli/io.js';
import { compile } from '../../src/compile.js';
import { diff } from '../../src/explain/html/diff.js';
import { escaped } from '../../src/explain/html/escape.js';
import { edgesOf } from '../../src/explain/html/graph.js';
import { page } from '../../src/explain/html/page.js';
import { reportOf, type Report, type ReportStage } from '../../src/explain/report.js';
import { recurrenceReports } from '../../src/explain/recurrences.js';
import { machines, operationsOf, roofOf, type RooflineMachine } from '../../src/explain/roofline.js';
import { std } from '../random/agree.js';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'ssmc-html-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const core = machines[0] as RooflineMachine;

function reportFor(text: string, more: Partial<Report> = {}): Report {
  const { module, builder } = compile('spec.ssm', { std, read: (p) => (p === 'spec.ssm' ? text : undefined) }, { specHash: '' });
  if (!module) throw new Error('it does not compile');
  const report = reportOf(module, { batch: 2, length: 100, machine: core, sources: [{ path: 'spec.ssm', text }], representations: [{ name: 'check', why: 'as meant', text: 'a = 1\nb = 2\n' }, { name: 'simplify', why: 'smaller', text: 'a = 1\nb = 3\n' }], recurrences: recurrenceReports(module.recurrences, builder) });
  return { ...report, ...more };
}
const coupled = `import CoupledMamba from "std"
model M {
  modalities m = left, right
  axis c = 8
  input x[t, m, c]
  output y = CoupledMamba(x, state = 4, coupling = sum)
}
`;

describe('a difference of texts', () => {
  const words = (a: string, b: string): string[] => diff(a.split('\n'), b.split('\n')).map((l) => (l.kind === 'same' ? ` ${l.text}` : `${l.kind === 'added' ? '+' : '-'}${l.marks.reduceRight((t, [from, to]) => `${t.slice(0, from)}[${t.slice(from, to)}]${t.slice(to)}`, l.text)}`));
  it.each([
    ['nothing', 'a\nb', 'a\nb', [' a', ' b']],
    ['a line more', 'a\nc', 'a\nb\nc', [' a', '+b', ' c']],
    ['a line less', 'a\nb\nc', 'a\nc', [' a', '-b', ' c']],
    ['a line rewritten', 'x = f(1)\ny = 2', 'x = f(10)\ny = 2', ['-x = f([1])', '+x = f([10])', ' y = 2']],
    ['a state that is one no more', 'forward state h = g(h)', 'h = g(k)', ['-[forward state ]h = g([h])', '+h = g([k])']],
    ['lines in another order of change', 'a = 1\nb = 1', 'b = 2\na = 2', ['-a = [1]', '+a = [2]', '-b = [1]', '+b = [2]']],
    ['all', 'a', 'b', ['-a', '+b']],
  ])('%s', (_, a, b, lines) => { expect(words(a, b)).toEqual(lines); });
  it('gives back both texts', () => {
    const [a, b] = ['p\nq = 1\nr\ns\nt'.split('\n'), 'q = 2\nr\nx\nt\nu'.split('\n')];
    const lines = diff(a, b);
    expect(lines.filter((l) => l.kind !== 'added').map((l) => l.text)).toEqual(a);
    expect(lines.filter((l) => l.kind !== 'removed').map((l) => l.text)).toEqual(b);
  });
});

describe('a roofline', () => {
  const machine: RooflineMachine = { name: 'm', title: 'm', operations: 100, exponentials: 10, bandwidth: 50 };
  it('is the slower of memory and arithmetic, exponentials by the time they take', () => {
    expect(roofOf({ bytes: 500, arithmetic: 200, exponentials: 10 }, machine)).toEqual({ memory: 10, arithmetic: 2, exponentials: 1, least: 10, bound: 'memory' });
    expect(roofOf({ bytes: 5, arithmetic: 200, exponentials: 10 }, machine)).toMatchObject({ least: 3, bound: 'arithmetic' });
    expect(roofOf({ bytes: 5, arithmetic: 20, exponentials: 100 }, machine)).toMatchObject({ least: 10.2, bound: 'exponentials' });
    expect(operationsOf({ bytes: 0, arithmetic: 20, exponentials: 100 }, machine)).toBe(1020);
  });
});

describe('the report', () => {
  const report = reportFor(coupled);
  it('has the stages of explain, and an arrow for each buffer that one writes and another reads', () => {
    expect(report.stages.length).toBeGreaterThan(3);
    const edges = edgesOf(report.stages);
    for (const e of edges) {
      expect(report.stages[e.from]?.writes).toContain(e.buffer);
      expect(report.stages[e.to]?.reads).toContain(e.buffer);
      expect(e.from).toBeLessThan(e.to);
    }
    // Every stage but the first is reached.
    expect(new Set(edges.map((e) => e.to)).size).toBe(report.stages.length - 1);
    const part = (reads: string[], writes: string[]): ReportStage => ({ title: '', anchor: '', domain: '', computes: [], bytes: 0, arithmetic: 0, exponentials: 0, reads, writes });
    expect(edgesOf([part([], ['x']), part([], ['x']), part(['x'], ['y'])]).map((e) => [e.from, e.to])).toEqual([[0, 2], [1, 2]]);
  });
  it('has memory for each stage, activations alive only while they are needed', () => {
    expect(report.memory).toHaveLength(report.stages.length);
    expect(new Set(report.memory.map((m) => m.constants)).size).toBe(1);
    expect(Math.min(...report.memory.map((m) => m.activations))).toBeLessThan(Math.max(...report.memory.map((m) => m.activations)));
  });
  it('says in the page what is charted, too', () => {
    const html = page(report);
    for (const part of ['may grow', 'bound 2', 'chosen', 'not possible', 'exponentials', 'From the source', 'recurrence', 'Memory over the run']) expect(html).toContain(part);
    for (const s of report.stages) expect(html).toContain(escaped(s.title));
    expect(html).toContain('<b>3</b>');
  });
  it('is the same each time', () => { expect(page(reportFor(coupled))).toBe(page(report)); });
});

describe('names from specs', () => {
  const hostile = '</pre><script>alert(1)</script><img src=x onerror=alert(2)> & "\' ]]> <!-- \u0000\u001b';
  it('stay text', () => {
    expect(escaped('<a href="x">\'&\r\n\u0000')).toBe('&lt;a href=&quot;x&quot;&gt;&#39;&amp;\n\ufffd');
    const base = reportFor(coupled);
    const evil = page({
      ...base, model: hostile, compiler: hostile, sources: [{ path: hostile, text: `${hostile}\n${hostile}` }], ran: hostile, machine: { ...core, title: hostile },
      representations: [{ name: hostile, why: hostile, text: hostile }, { name: 'x', why: hostile, text: `${hostile}!` }, { name: 'y', why: hostile, text: `${hostile}!` }],
      stages: base.stages.map((s) => ({ ...s, title: hostile, anchor: hostile, domain: hostile, computes: [hostile], measured: 1e-3, strategy: { name: hostile, why: hostile, weighed: [{ name: hostile, possible: true, why: hostile }] } })),
      recurrences: base.recurrences.map((r) => ({ ...r, states: [hostile], affine: false, why: hostile })), stability: [{ states: [hostile], bound: Infinity, verdict: 'unknown' }],
      kernels: [{ name: hostile, text: hostile }],
    });
    expect(evil.match(/<script|<img|<!--|onerror=(?!alert\(2\)&gt;)/g)).toBe(null);
    expect(evil.match(/<\/pre>/g)?.length).toBe(evil.match(/<pre/g)?.length);
    expect(evil).toContain('&lt;script&gt;alert(1)');
  });
});

describe('ssmc explain --html', () => {
  const said: string[] = [];
  const io: Io = { out: (t) => said.push(t), err: (t) => said.push(t), cwd: root, colour: false, terminal: false };
  it('refuses what does not go together', async () => {
    for (const args of [['--run'], ['--machine', 'core'], ['--html', join(folder, 'x.html'), '--run', '--target', 'wgsl'], ['--html', join(folder, 'x.html'), '--machine', 'abacus']]) {
      said.length = 0;
      expect([args, await main(['explain', 'examples/mamba/mamba.ssm', ...args], io)]).toEqual([args, 2]);
    }
  });
  it('measures every stage with --run', async () => {
    said.length = 0;
    expect(await main(['explain', 'examples/mamba/mamba.ssm', '--html', join(folder, 'run.html'), '--run', '--length', '64', '--json'], io)).toBe(0);
    const { measured } = JSON.parse(said.join('')) as { measured: Record<string, number> };
    expect(Object.keys(measured).length).toBeGreaterThan(8);
    for (const [stage, seconds] of Object.entries(measured)) expect([stage, seconds > 0 && seconds < 5]).toEqual([stage, true]);
  }, 60_000);
  it('shows another machine, and WebGPU', async () => {
    expect(await main(['explain', 'examples/mamba/mamba.ssm', '--html', join(folder, 'gpu.html'), '--target', 'wgsl', '--machine', 'h100'], io)).toBe(0);
    const html = readFileSync(join(folder, 'gpu.html'), 'utf8');
    expect(html).toContain('for WebGPU');
    expect(html).toContain('H100');
  }, 60_000);
});

const browserPath = '/usr/bin/chromium';
describe.skipIf(!existsSync(browserPath))('the page in chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    const io: Io = { out: () => undefined, err: () => undefined, cwd: root, colour: false, terminal: false };
    expect(await main(['explain', 'examples/coupled-mamba/mosei.ssm', '--html', join(folder, 'mosei.html')], io)).toBe(0);
    writeFileSync(join(folder, 'grow.html'), page(reportFor(coupled, { ran: 'Measured nowhere.' })));
    browser = await chromium.launch({ executablePath: browserPath, headless: true, args: ['--no-sandbox'] });
  }, 120_000);
  afterAll(async () => { await browser?.close(); });

  it.each([['mosei', 1280, 'light'], ['mosei', 1280, 'dark'], ['mosei', 360, 'light'], ['grow', 360, 'dark']] as const)('%s at %i pixels, %s: nothing fetched, no complaint, no overflow, no serious fault for assistive tools', async (name, width, colorScheme) => {
    const tab = await browser.newPage({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true });
    const complaints: string[] = [];
    const fetched: string[] = [];
    tab.on('pageerror', (e) => complaints.push(e.message));
    tab.on('console', (m) => complaints.push(m.text()));
    const url = pathToFileURL(join(folder, `${name}.html`)).href;
    tab.on('request', (r) => { if (r.url() !== url) fetched.push(r.url()); });
    await tab.goto(url);
    expect(await tab.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    await tab.addScriptTag({ path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') });
    const found: { id: string; impact: string; nodes: string[] }[] = await tab.evaluate('axe.run().then((r) => r.violations.map((v) => ({ id: v.id, impact: v.impact, nodes: v.nodes.slice(0, 3).map((n) => n.html) })))');
    expect(found.filter((f) => f.impact === 'serious' || f.impact === 'critical')).toEqual([]);
    expect([complaints, fetched]).toEqual([[], []]);
    await tab.close();
  }, 120_000);
});
