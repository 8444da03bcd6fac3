/** The server as an editor meets it: a process, and messages over its standard streams. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from './client.js';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'ssmc lsp é-'));
const uri = (name: string): string => pathToFileURL(join(folder, name)).href;
const spec = `import Twice from "./parts/twice.ssm"
import Linear from "std"

/// 😀 characters of two UTF-16 units before a name on its line.
model M {
  axis c =  4
  input x[t, c]
  state h[t, c] = 0.5 * h[t-1, c] + x[t, c]
  v = Twice(h)
  output y = Linear(v, out = 2)
}
`;
interface Range { readonly start: { line: number; character: number }; readonly end: { line: number; character: number } }
interface Published { readonly uri: string; readonly version?: number; readonly diagnostics: readonly { readonly code: string; readonly message: string; readonly range: Range }[] }

let client: Client;
const at = (line: number, character: number, name = 'spec.ssm'): object => ({ textDocument: { uri: uri(name) }, position: { line, character } });
const change = (version: number, changes: readonly object[], name = 'spec.ssm'): void => client.notify('textDocument/didChange', { textDocument: { uri: uri(name), version }, contentChanges: changes });
const insert = (line: number, character: number, text: string, length = 0): object => ({ range: { start: { line, character }, end: { line, character: character + length } }, text });
const published = (name: string, fits: (p: Published) => boolean): Promise<Published> => client.heard<Published>('textDocument/publishDiagnostics', (p) => p.uri === uri(name) && fits(p));

beforeAll(async () => {
  mkdirSync(join(folder, 'parts'));
  writeFileSync(join(folder, 'package.json'), '{}');
  writeFileSync(join(folder, 'parts', 'twice.ssm'), 'block Twice(x[t, c]) {\n  output y[t, c] = 2 * x[t, c]\n}\n');
  writeFileSync(join(folder, 'spec.ssm'), 'this is on disk only');
  client = new Client(process.execPath, [join(root, 'dist/src/cli/main.js'), 'lsp', '--stdio'], folder);
  const { capabilities } = await client.request<{ capabilities: Record<string, unknown> }>('initialize', { processId: null, rootUri: pathToFileURL(folder).href, capabilities: {} });
  expect(capabilities['hoverProvider']).toBe(true);
  client.notify('initialized', {});
  client.notify('textDocument/didOpen', { textDocument: { uri: uri('spec.ssm'), languageId: 'ssm', version: 1, text: spec } });
  await published('spec.ssm', (p) => p.version === 1);
});
afterAll(() => {
  client.kill();
  rmSync(folder, { recursive: true, force: true });
});

describe('ssmc lsp', () => {
  it('reports nothing of a spec without faults, though the file on disk has some', async () => {
    expect((await published('spec.ssm', (p) => p.version === 1)).diagnostics).toEqual([]);
  });
  it('reports a fault at its place as it is typed, and takes it back', async () => {
    change(2, [insert(8, 11, 'x')]);
    const { diagnostics } = await published('spec.ssm', (p) => p.version === 2);
    expect(diagnostics.map((d) => [d.code, d.range.start])).toEqual([['SSM2020', { line: 8, character: 6 }]]);
    expect(diagnostics[0]?.message).toContain('did you mean `Twice`?');
    change(3, [insert(8, 11, '', 1)]);
    expect((await published('spec.ssm', (p) => p.version === 3)).diagnostics).toEqual([]);
  }, 30_000);
  it('counts in UTF-16 units', async () => {
    // Two emojis before the place, on its line; then a range that begins behind the first and ends behind the second.
    change(4, [insert(8, 12, '😀😀 q')]);
    const { diagnostics } = await published('spec.ssm', (p) => p.version === 4);
    expect(diagnostics.map((d) => [d.code, d.range])).toContainEqual(['SSM1002', { start: { line: 8, character: 12 }, end: { line: 8, character: 16 } }]);
    change(5, [insert(8, 14, '', 2)]);
    const once = await published('spec.ssm', (p) => p.version === 5);
    expect(once.diagnostics.map((d) => [d.code, d.range])).toContainEqual(['SSM1002', { start: { line: 8, character: 12 }, end: { line: 8, character: 14 } }]);
    change(6, [insert(8, 12, '', 4)]);
    expect((await published('spec.ssm', (p) => p.version === 6)).diagnostics).toEqual([]);
  }, 30_000);
  it('hovers', async () => {
    const hover = await client.request<{ contents: { value: string }; range: Range }>('textDocument/hover', at(7, 8));
    expect(hover.contents.value).toContain('state h[t, c: 4]');
    expect(hover.contents.value).toContain('**Stability**');
    expect(hover.range).toEqual({ start: { line: 7, character: 8 }, end: { line: 7, character: 9 } });
    expect(await client.request('textDocument/hover', at(2, 0))).toBe(null);
  }, 30_000);
  it('leads to definitions, in other files and in the library, which it answers about too', async () => {
    expect(await client.request('textDocument/definition', at(8, 7))).toEqual([{ uri: uri('parts/twice.ssm'), range: { start: { line: 0, character: 6 }, end: { line: 0, character: 11 } } }]);
    const [library] = await client.request<{ uri: string; range: Range }[]>('textDocument/definition', at(9, 14));
    expect(library?.uri).toBe(pathToFileURL(join(root, 'grammar/std/linear.ssm')).href);
    client.notify('textDocument/didOpen', { textDocument: { uri: library?.uri, languageId: 'ssm', version: 1, text: readFileSync(join(root, 'grammar/std/linear.ssm'), 'utf8') } });
    const hover = await client.request<{ contents: { value: string } }>('textDocument/hover', { textDocument: { uri: library?.uri }, position: { line: 2, character: 7 } });
    expect(hover.contents.value).toContain('axis o = 2');
    client.notify('textDocument/didClose', { textDocument: { uri: library?.uri } });
  }, 30_000);
  it('finds references in files that are not open, and renames in them', async () => {
    const found = await client.request<{ uri: string }[]>('textDocument/references', { ...at(8, 7), context: { includeDeclaration: true } });
    expect(found.map((l) => l.uri).toSorted()).toEqual([uri('parts/twice.ssm'), uri('spec.ssm'), uri('spec.ssm')]);
    const edit = await client.request<{ changes: Record<string, unknown[]> }>('textDocument/rename', { ...at(8, 7), newName: 'Double' });
    expect(Object.entries(edit.changes).map(([u, e]) => [u, e.length]).toSorted()).toEqual([[uri('parts/twice.ssm'), 1], [uri('spec.ssm'), 2]]);
    await expect(client.request('textDocument/rename', { ...at(9, 14), newName: 'Double' })).rejects.toThrow('standard library');
    expect(await client.request('textDocument/prepareRename', at(8, 7))).toEqual({ start: { line: 8, character: 6 }, end: { line: 8, character: 11 } });
  });
  it('completes, outlines, highlights, colours, hints and formats', async () => {
    const items = await client.request<{ label: string; textEdit: { range: Range } }[]>('textDocument/completion', at(9, 14));
    expect(items.find((i) => i.label === 'Linear')?.textEdit.range).toEqual({ start: { line: 9, character: 13 }, end: { line: 9, character: 19 } });
    const [m] = await client.request<{ name: string; children: { name: string }[] }[]>('textDocument/documentSymbol', { textDocument: { uri: uri('spec.ssm') } });
    expect([m?.name, m?.children.map((c) => c.name)]).toEqual(['M', ['c', 'x', 'h', 'v', 'y']]);
    expect(await client.request<unknown[]>('textDocument/documentHighlight', at(7, 8))).toHaveLength(3);
    const { data } = await client.request<{ data: number[] }>('textDocument/semanticTokens/full', { textDocument: { uri: uri('spec.ssm') } });
    expect(data.slice(0, 15)).toEqual([0, 0, 6, 0, 0, 0, 7, 5, 2, 0, 0, 6, 4, 0, 0]);
    const hints = await client.request<{ label: string; position: object }[]>('textDocument/inlayHint', { textDocument: { uri: uri('spec.ssm') }, range: { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } } });
    expect(hints.map((h) => [h.label, h.position])).toEqual([['[t, c: 4]', { line: 8, character: 3 }], ['[t, o: 2]', { line: 9, character: 10 }]]);
    expect(await client.request('textDocument/formatting', { textDocument: { uri: uri('spec.ssm') }, options: { tabSize: 2, insertSpaces: true } })).toHaveLength(1);
  });
  it('offers quick fixes', async () => {
    change(8, [insert(8, 10, 'x')]);
    await published('spec.ssm', (p) => p.version === 8);
    const actions = await client.request<{ title: string; edit: { changes: Record<string, { newText: string; range: Range }[]> } }[]>('textDocument/codeAction', { textDocument: { uri: uri('spec.ssm') }, range: { start: { line: 8, character: 6 }, end: { line: 8, character: 6 } }, context: { diagnostics: [] } });
    expect(actions.map((a) => a.title)).toEqual(['write `Twice`']);
    expect(actions[0]?.edit.changes[uri('spec.ssm')]).toEqual([{ newText: 'Twice', range: { start: { line: 8, character: 6 }, end: { line: 8, character: 12 } } }]);
    change(9, [{ text: spec }]);
    await published('spec.ssm', (p) => p.version === 9);
  });
  it('shows kernels', async () => {
    const kernels = await client.request<{ of: string; text: string }>('ssmc/kernels', at(7, 8));
    expect(kernels.of).toBe('M');
    expect(kernels.text).toContain('kernel');
  }, 30_000);
  it('has what is open override what is on disk, in imports too, and goes back to it', async () => {
    client.reset();
    client.notify('textDocument/didOpen', { textDocument: { uri: uri('parts/twice.ssm'), languageId: 'ssm', version: 1, text: 'block Once(x[t, c]) {\n  output y[t, c] = x[t, c]\n}\n' } });
    expect((await published('spec.ssm', (p) => p.diagnostics.length > 0)).diagnostics.map((d) => d.code)).toEqual(['SSM2006']);
    client.reset();
    client.notify('textDocument/didClose', { textDocument: { uri: uri('parts/twice.ssm') } });
    expect((await published('spec.ssm', () => true)).diagnostics).toEqual([]);
  });
  it('hears of files that change beside it', async () => {
    client.reset();
    writeFileSync(join(folder, 'parts', 'twice.ssm'), 'block Twice(x[t, c]) {\n  output y[t, c] = 2 * q[t, c]\n}\n');
    client.notify('workspace/didChangeWatchedFiles', { changes: [{ uri: uri('parts/twice.ssm'), type: 2 }] });
    expect((await published('parts/twice.ssm', (p) => p.diagnostics.length > 0)).diagnostics.map((d) => d.code)).toEqual(['SSM2001']);
  });
  it('tells of what only compiling finds when the user pauses', async () => {
    client.reset();
    client.notify('textDocument/didOpen', { textDocument: { uri: uri('tanh.ssm'), languageId: 'ssm', version: 1, text: 'model T {\n  axis c = 2\n  input x[t, c]\n  state h[t, c] = tanh(h[t-1, c]) + x[t, c]\n  output y[t, c] = h[t, c]\n}\n' } });
    expect((await published('tanh.ssm', (p) => p.diagnostics.length > 0)).diagnostics.map((d) => d.code)).toEqual(['SSM3301']);
  }, 30_000);
  it('checks what is typed while it compiles', async () => {
    const deep = (fault: string): string => `import LayerNorm, CoupledMamba from "std"\nmodel Deep {\n  modalities m = a, b\n  axis c = 32\n  input x[t, m, c]\n  repeat 12 as layers { x = x + CoupledMamba(LayerNorm(x), state = 16) }\n  output y[t, m, c] = x${fault}[t, m, c]\n}\n`;
    client.notify('textDocument/didOpen', { textDocument: { uri: uri('deep.ssm'), languageId: 'ssm', version: 1, text: deep('') } });
    await published('deep.ssm', (p) => p.version === 1);
    let compiled = false;
    const kernels = client.request<{ of: string }>('ssmc/kernels', at(6, 12, 'deep.ssm')).then((k) => {
      compiled = true;
      return k;
    });
    change(2, [{ text: deep('x') }], 'deep.ssm');
    expect((await published('deep.ssm', (p) => p.version === 2)).diagnostics.map((d) => d.code)).toEqual(['SSM2001']);
    expect(compiled).toBe(false);
    expect((await kernels).of).toBe('Deep');
  }, 30_000);
  it('ends when it is told to, having written nothing beside its messages', async () => {
    await client.request('shutdown', null);
    client.notify('exit', null);
    expect(await client.exit).toBe(0);
    expect(client.errors).toBe('');
    expect(client.notifications.filter((m) => m.method === 'window/logMessage')).toEqual([]);
  });
});

it('the server ends without a word when its client is gone', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/src/cli/main.js'), 'lsp'], { input: '', encoding: 'utf8' });
  expect([status, stdout, stderr]).toEqual([0, '', '']);
});
