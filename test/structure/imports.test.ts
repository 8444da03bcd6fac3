/**
 * Dependencies point one way, as the design says, and the compiler's core runs in a browser: it touches neither the file system nor
 * ts-morph. The exceptions, types only, are the ones that src/README.md names.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
interface Edge {
  readonly from: string;
  /** A file of ours, or a package. */
  readonly to: string;
  readonly typeOnly: boolean;
}
const files = ['grammar', 'src', 'targets'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ts')).map((f) => posix.join(folder, f.replaceAll('\\', '/')))
    // The extension for VS Code is a package of its own.
    .filter((f) => !f.startsWith('grammar/editor/')));
const edges: readonly Edge[] = files.flatMap((from) => {
  const text = readFileSync(join(root, from), 'utf8');
  const statements = [...text.matchAll(/^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm)];
  return statements.map(([, type, named, bare, dynamic]): Edge => {
    const to = named ?? bare ?? dynamic ?? '';
    return { from, to: to.startsWith('.') ? posix.join(dirname(from), to).replace(/\.js$/, '.ts') : to, typeOnly: type !== undefined };
  });
});
const under = (path: string, folders: readonly string[]): boolean => folders.some((f) => path === f || path.startsWith(`${f}/`));

/** Folder or file → what it may import besides itself; `types` may be imported as types only. */
const rules: readonly { readonly of: string; readonly may: readonly string[]; readonly types?: readonly string[] }[] = [
  { of: 'grammar', may: ['chevrotain'] },
  { of: 'src/ir', may: [], types: ['src/diagnostics'] },
  { of: 'src/diagnostics', may: [] },
  { of: 'src/interpreter', may: ['src/ir'] },
  { of: 'src/check', may: ['grammar', 'src/ir', 'src/diagnostics'] },
  { of: 'src/passes', may: ['grammar', 'src/ir', 'src/diagnostics'], types: ['src/runtime/manifest.ts'] },
  { of: 'targets', may: ['src/ir', 'src/runtime'], types: ['src/passes/schedule/threads/machine.ts', 'src/passes/convolution/cost.ts'] },
  { of: 'src/runtime', may: [] },
  { of: 'src/bindings', may: ['ts-morph', 'src/runtime'] },
  { of: 'src/language-service', may: ['grammar', 'src/ir', 'src/check', 'src/passes', 'src/diagnostics', 'src/explain', 'src/compile.ts'] },
  { of: 'src/lsp', may: ['grammar', 'src/diagnostics', 'src/language-service', 'src/cli/io.ts', 'src/version.ts', 'vscode-languageserver/node', 'node:fs', 'node:path', 'node:url', 'node:worker_threads'] },
  { of: 'src/explain', may: ['src/ir', 'src/passes', 'src/runtime'], types: ['src/compile.ts'] },
];
const core = ['grammar', 'src/ir', 'src/diagnostics', 'src/interpreter', 'src/check', 'src/passes', 'src/explain', 'src/language-service', 'src/compile.ts', 'src/index.ts', 'targets'];

describe('imports', () => {
  it('are found', () => {
    expect(edges.length).toBeGreaterThan(300);
    expect(edges).toContainEqual({ from: 'grammar/parser.ts', to: 'chevrotain', typeOnly: false });
    expect(edges).toContainEqual({ from: 'src/check/index.ts', to: 'grammar/ast.ts', typeOnly: true });
  });
  it.each(rules.map((r) => [r.of, r] as const))('of %s point one way', (_, { of, may, types = [] }) => {
    const wrong = edges.filter((e) => under(e.from, [of]) && !under(e.to, [of, ...may]) && !(e.typeOnly && under(e.to, types)));
    expect(wrong.map((e) => `${e.from} imports ${e.to}`)).toEqual([]);
  });
  it('of the core touch neither node nor ts-morph', () => {
    const wrong = edges.filter((e) => under(e.from, core) && (e.to.startsWith('node:') || e.to === 'ts-morph'));
    expect(wrong.map((e) => `${e.from} imports ${e.to}`)).toEqual([]);
  });
  it('of vscode-languageserver stand in src/lsp alone, which is loaded when it is asked for', () => {
    expect(edges.filter((e) => e.to.startsWith('vscode-') && !under(e.from, ['src/lsp']))).toEqual([]);
    const readers = edges.filter((e) => under(e.to, ['src/lsp']) && !under(e.from, ['src/lsp']));
    expect(readers.map((e) => `${e.from} imports ${e.to}`)).toEqual(['src/cli/lsp.ts imports src/lsp/server.ts']);
  });
  it('of ts-morph stand in src/bindings alone', () => {
    expect(edges.filter((e) => e.to === 'ts-morph' && !under(e.from, ['src/bindings']))).toEqual([]);
  });
  it('of src/compile.ts reach no file that touches node or ts-morph', () => {
    const seen = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const e of edges) if (e.from === file && !e.typeOnly) visit(e.to);
    };
    visit('src/compile.ts');
    expect([...seen].filter((f) => f.startsWith('node:') || f === 'ts-morph')).toEqual([]);
    expect(seen.size).toBeGreaterThan(50);
  });
});
