/**
 * Every page is followed from top to bottom in an empty folder, with the package installed: a fence with a file's name writes it, `sh` runs
 * its lines, `text` is what the lines before it print. `sh fails` must exit 1. Nothing is fetched: `npm install` has been done.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { launch, noBrowser, open, serve } from '../plugin/browser.js';

const root = join(import.meta.dirname, '../..');
const docs = join(root, 'src/docs');
const folders: string[] = [];
afterAll(() => { for (const f of folders) rmSync(f, { recursive: true, force: true }); });

interface Fence {
  readonly language: string;
  readonly info: string;
  readonly text: string;
}
const fences = (page: string): readonly Fence[] => [...readFileSync(join(docs, page), 'utf8').matchAll(/^```(\w+) ?(\S*)\n([\s\S]*?)^```$/gm)].map(([, language = '', info = '', text = '']) => ({ language, info, text }));

function emptyProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ssmc-docs-'));
  folders.push(folder);
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/ssmc'));
  for (const name of ['unplugin', 'vite']) symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  return folder;
}
const commands: Readonly<Record<string, string>> = { ssmc: join(root, 'dist/src/cli/main.js'), vite: join(root, 'node_modules/vite/bin/vite.js') };
function line(folder: string, text: string, status: number): string {
  const [program, ...args] = text.split(/\s+/);
  if (program === 'npm') {
    expect(text).toMatch(/^npm install (-D )?[\w ]+$/);
    return '';
  }
  const script = program === 'npx' ? [commands[args[0] ?? ''] ?? '', ...args.slice(1)] : args;
  expect(['npx', 'node']).toContain(program);
  const r = spawnSync(process.execPath, script, { cwd: folder, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
  expect([text, r.status, r.status === status ? '' : r.stderr]).toEqual([text, status, '']);
  // What `check` proves is told on the error stream, like all that is for people.
  return args[1] === 'check' ? r.stderr.split('\n').filter((l) => /^[\w.]+: /.test(l)).map((l) => `${l}\n`).join('') : args[1] === 'compile' || args[1] === 'explain' || args[0] === 'vite' ? '' : r.stdout;
}
/** Follows a page; the folder that it leaves. */
function follow(page: string): string {
  const folder = emptyProject();
  let printed = '';
  for (const { language, info, text } of fences(page)) {
    if (language === 'sh') printed = text.trim().split('\n').map((l) => line(folder, l.trim(), info === 'fails' ? 1 : 0)).join('');
    else if (language === 'text') expect(printed).toBe(text);
    else {
      expect([page, info]).not.toEqual([page, '']);
      writeFileSync(join(folder, info), text);
    }
  }
  return folder;
}

describe('documentation', () => {
  it('has an entry for each page', () => {
    const index = readFileSync(join(docs, 'README.md'), 'utf8');
    for (const page of readdirSync(docs).filter((f) => f !== 'README.md')) expect(index).toContain(`](${page})`);
  });
  it('has no link to nowhere', () => {
    for (const page of readdirSync(docs)) {
      for (const [, to = ''] of readFileSync(join(docs, page), 'utf8').matchAll(/\]\(([^)#]+)\)/g)) expect(() => readFileSync(join(docs, to))).not.toThrow();
    }
  });
  it.each(['coupling.md', 'checkpoint.md'])('%s can be followed', (page) => { follow(page); });
  it('api.md can be followed, and its TypeScript has the types that it says', () => {
    const folder = follow('api.md');
    const r = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2023,dom', '--types', '', 'typed.ts'], { cwd: folder, encoding: 'utf8' });
    expect(r.stdout).toBe('');
  });
  it('tutorial.md can be followed, to a page that works', async () => {
    const folder = follow('tutorial.md');
    expect(readdirSync(join(folder, 'dist'))).toContain('index.html');
    if (noBrowser !== undefined) return;
    const { origin, server } = await serve([join(folder, 'dist')]);
    const browser = await launch();
    const { page, complaints } = await open(browser, origin);
    await page.waitForFunction('/^0\\.\\d+ on (wasm|webgpu)$/.test(document.querySelector("#last").textContent)', undefined, { timeout: 60_000 });
    expect(complaints).toEqual([]);
    await browser.close();
    server.close();
  });
});
