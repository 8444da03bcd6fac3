/**
 * The extension as `npm run vsix` packs it: what the .vsix holds, the bundled client loaded with a stand-in for the editor's module, and the bundled
 * server driven by that client's own start. There is no VS Code in the tests.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire, Module } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { strFromU8, unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../lsp/client.js';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'ssmc-vsix-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let entries: Record<string, Uint8Array>;
let packed: { readonly name: string; readonly bytes: Uint8Array };
interface Manifest { readonly version: string; readonly main: string; readonly contributes: Readonly<Record<string, unknown>> }
let manifest: Manifest;
const text = (path: string): string => strFromU8(entries[`extension/${path}`] as Uint8Array);

beforeAll(async () => {
  const { vsix } = await import(pathToFileURL(join(root, 'grammar/editor/vsix.mjs')).href) as { vsix: () => Promise<typeof packed> };
  packed = await vsix();
  entries = unzipSync(packed.bytes);
  manifest = JSON.parse(text('package.json')) as Manifest;
  for (const [path, bytes] of Object.entries(entries)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
  // So that tests of the outcome do not depend on the time of day.
  expect(Buffer.from((await vsix()).bytes).equals(Buffer.from(packed.bytes))).toBe(true);
});

describe('the .vsix', () => {
  it('has the version of ssmc, and all that its manifest names', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(manifest.version).toBe(version);
    expect(packed.name).toBe(`ssmc-${version}.vsix`);
    const named = [...JSON.stringify(manifest.contributes).matchAll(/"\.\/([^"]+)"/g)].map((m) => m[1] as string);
    expect(named.length).toBeGreaterThan(2);
    for (const path of [...named, manifest.main.replace('./', '')]) expect(Object.keys(entries)).toContain(`extension/${path}`);
    const installer = strFromU8(entries['extension.vsixmanifest'] as Uint8Array);
    expect(installer).toContain(`Version="${version}" Publisher="ssmc"`);
    for (const [, path] of installer.matchAll(/Path="([^"]+)"/g)) expect(Object.keys(entries)).toContain(path);
  });
  it('holds the standard library, and nothing that it does not need', () => {
    const paths = Object.keys(entries).filter((p) => !p.startsWith('extension/grammar/std/')).toSorted();
    expect(paths).toEqual([
      '[Content_Types].xml', 'extension.vsixmanifest', 'extension/LICENSE.txt', 'extension/compiling-thread.js', 'extension/extension.cjs', 'extension/language-configuration.json', 'extension/package.json', 'extension/readme.md',
      'extension/server.cjs', 'extension/syntaxes/markdown.tmLanguage.json', 'extension/syntaxes/ssm.tmLanguage.json',
    ]);
    expect(text('grammar/std/linear.ssm')).toBe(readFileSync(join(root, 'grammar/std/linear.ssm'), 'utf8'));
    const types = strFromU8(entries['[Content_Types].xml'] as Uint8Array);
    for (const p of Object.keys(entries).filter((e) => e !== '[Content_Types].xml')) expect(types).toContain(`Extension=".${p.slice(p.lastIndexOf('.') + 1)}"`);
    for (const p of ['extension.cjs', 'server.cjs', 'compiling-thread.js']) expect(text(p).includes(root)).toBe(false);
    expect(packed.bytes.length).toBeLessThan(1_000_000);
  });
  it('has JSON that parses, and expressions that compile', () => {
    for (const p of ['package.json', 'language-configuration.json']) expect(() => JSON.parse(text(p)) as unknown).not.toThrow();
    const { wordPattern, indentationRules } = JSON.parse(text('language-configuration.json')) as { wordPattern: string; indentationRules: Record<string, string> };
    for (const r of [wordPattern, ...Object.values(indentationRules)]) expect(() => new RegExp(r)).not.toThrow();
  });
});

describe('the bundled server', () => {
  it('answers, with the library of the extension', async () => {
    const client = new Client(process.execPath, [join(folder, 'extension/server.cjs'), '--stdio'], folder);
    await client.request('initialize', { processId: null, rootUri: null, capabilities: {} });
    const uri = pathToFileURL(join(folder, 'a.ssm')).href;
    client.notify('textDocument/didOpen', { textDocument: { uri, languageId: 'ssm', version: 1, text: 'import Linear from "std"\nmodel M {\n  axis c = 4\n  input x[t, c]\n  output y = Linear(x, out = 2)\n}\n' } });
    const hover = await client.request<{ contents: { value: string } }>('textDocument/hover', { textDocument: { uri }, position: { line: 4, character: 9 } });
    expect(hover.contents.value).toContain('output y[t, o: 2]');
    const [definition] = await client.request<{ uri: string }[]>('textDocument/definition', { textDocument: { uri }, position: { line: 4, character: 14 } });
    expect(definition?.uri).toBe(pathToFileURL(join(folder, 'extension/grammar/std/linear.ssm')).href);
    // From the thread that compiles, which is a file of its own.
    const { text: kernels } = await client.request<{ text?: string }>('ssmc/kernels', { textDocument: { uri }, position: { line: 4, character: 9 } });
    expect(kernels).toContain('kernel');
    await client.request('shutdown', null);
    client.notify('exit', null);
    expect(await client.exit).toBe(0);
    expect(client.errors).toBe('');
  }, 60_000);
});

describe('the bundled client', () => {
  /** Answers to any name with a thing that can be called, constructed, read and extended. */
  const anything = (): unknown => {
    const made = new Map<PropertyKey, unknown>();
    return new Proxy(class { dispose(): void { /* nothing to free */ } }, {
      get: (target, key) => (key === 'prototype' || key === Symbol.toPrimitive || key === 'then' ? Reflect.get(target, key) as unknown : made.get(key) ?? made.set(key, anything()).get(key)),
      apply: () => anything(), construct: (target) => Object.assign(new (target as new () => object)(), { event: () => anything(), fire: () => undefined }),
    });
  };
  interface Activated { readonly commands: Map<string, () => Promise<void>>; readonly providers: Map<string, { provideTextDocumentContent(uri: { path: string }): string }>; readonly messages: string[]; readonly shown: string[] }
  function stub(): { readonly module: unknown; readonly activated: Activated } {
    const activated: Activated = { commands: new Map(), providers: new Map(), messages: [], shown: [] };
    const disposable = { dispose: (): void => undefined };
    const own: Record<string, unknown> = {
      version: '1.91.0',
      commands: { registerCommand: (name: string, f: () => Promise<void>) => (activated.commands.set(name, f), disposable) },
      workspace: {
        registerTextDocumentContentProvider: (scheme: string, p: never) => (activated.providers.set(scheme, p), disposable), createFileSystemWatcher: () => disposable,
        getConfiguration: () => ({ get: (_: string, fallback: unknown) => fallback }), openTextDocument: (uri: { path: string }) => Promise.resolve(uri),
      },
      window: { showInformationMessage: (m: string) => { activated.messages.push(m); }, showTextDocument: (d: { path: string }) => { activated.shown.push(d.path); return Promise.resolve(); }, activeTextEditor: { document: { uri: 'file:///a.ssm' }, selection: { active: {} } } },
      Uri: { from: (parts: object) => parts },
    };
    const rest = anything() as object;
    return { activated, module: new Proxy(own, { get: (o, key) => (key in o ? o[key as string] : Reflect.get(rest, key) as unknown) }) };
  }
  /** Loads a file as the editor's host would: `vscode` is the host's, the language client this one. */
  function load(vscode: unknown, languageClient: unknown): { activate(context: object): Promise<void>; deactivate(): Promise<void> } {
    const loader = Module as unknown as { _load: (name: string, ...more: unknown[]) => unknown };
    const original = loader._load;
    loader._load = (name, ...more) => (name === 'vscode' ? vscode : name === 'vscode-languageclient/node' ? languageClient : original(name, ...more));
    try {
      return createRequire(import.meta.url)(join(folder, languageClient === undefined ? 'extension/extension.cjs' : 'client.cjs')) as ReturnType<typeof load>;
    } finally {
      loader._load = original;
    }
  }

  it('loads where the editor\'s module is there', () => {
    const { module } = stub();
    const extension = load(module, undefined);
    expect([typeof extension.activate, typeof extension.deactivate]).toEqual(['function', 'function']);
  });

  it('starts the server inside the extension, shows kernels, and says why there are none', async () => {
    const { build } = await import('esbuild');
    const result = await build({ entryPoints: [join(root, 'grammar/editor/src/extension.ts')], bundle: true, platform: 'node', format: 'cjs', write: false, external: ['vscode', 'vscode-languageclient/node'] });
    writeFileSync(join(folder, 'client.cjs'), result.outputFiles[0]?.text ?? '');
    const { module, activated } = stub();
    const log: string[] = [];
    let answer: object = { of: 'Mamba', text: 'kernel one' };
    class LanguageClient {
      readonly code2ProtocolConverter = { asUri: (u: string) => u, asPosition: (p: object) => p };
      readonly #server: { readonly module: string };
      constructor(_id: string, _name: string, server: { readonly module: string }, options: { readonly documentSelector: readonly { readonly language: string }[] }) {
        this.#server = server;
        expect(options.documentSelector.every((d) => d.language === 'ssm')).toBe(true);
      }
      start(): Promise<void> { log.push(`start ${this.#server.module}`); return Promise.resolve(); }
      stop(): Promise<void> { log.push('stop'); return Promise.resolve(); }
      sendRequest(method: string): Promise<object> { log.push(method); return Promise.resolve(answer); }
    }
    const extension = load(module, { LanguageClient, TransportKind: { stdio: 0 } });
    const context = { subscriptions: [] as unknown[], asAbsolutePath: (p: string) => `/extension/${p}` };
    await extension.activate(context);
    expect(log).toEqual(['start /extension/server.cjs']);
    // Every command of the manifest is registered.
    const named = (manifest.contributes['commands'] as readonly { command: string }[]).map((c) => c.command);
    expect([...activated.commands.keys()].toSorted()).toEqual(named.toSorted());
    expect(context.subscriptions.length).toBeGreaterThanOrEqual(3);
    await activated.commands.get('ssmc.showKernels')?.();
    const [shown] = activated.shown;
    expect(activated.providers.get('ssmc-kernels')?.provideTextDocumentContent({ path: shown ?? '' })).toBe('kernel one');
    answer = { why: 'the cursor is in no block or model' };
    await activated.commands.get('ssmc.showKernels')?.();
    expect(activated.messages).toEqual(['No kernels: the cursor is in no block or model']);
    await activated.commands.get('ssmc.restart')?.();
    await extension.deactivate();
    expect(log.slice(-4)).toEqual(['ssmc/kernels', 'stop', 'start /extension/server.cjs', 'stop']);
  }, 60_000);
});
