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
      '[Content_Types].xml', 'extension.vsixmanifest', 'extension/LICENSE.txt', 'extension/compiling-thread.js', 'extension/extension.cjs', 'extension/kernels-configuration.json', 'extension/language-configuration.json', 'extension/package.json', 'extension/readme.md',
      'extension/server.cjs', 'extension/syntaxes/markdown.tmLanguage.json', 'extension/syntaxes/ssm.tmLanguage.json', 'extension/syntaxes/ssmc-kernels.tmLanguage.json',
    ]);
    expect(text('grammar/std/linear.ssm')).toBe(readFileSync(join(root, 'grammar/std/linear.ssm'), 'utf8'));
    expect(text('readme.md')).toMatch(/the language of ssmc:/);
    expect(text('readme.md')).not.toContain('](.');
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
  interface Changed { affectsConfiguration(name: string): boolean }
  interface Activated {
    readonly commands: Map<string, () => Promise<void>>;
    readonly providers: Map<string, { provideTextDocumentContent(uri: { path: string }): string }>;
    readonly messages: string[];
    readonly shown: { readonly path: string; readonly language: string }[];
    readonly settings: { command: readonly string[]; changed(e: Changed): void };
  }
  function stub(): { readonly module: unknown; readonly activated: Activated } {
    const activated: Activated = { commands: new Map(), providers: new Map(), messages: [], shown: [], settings: { command: [], changed: () => undefined } };
    const disposable = { dispose: (): void => undefined };
    const say = (m: string): void => { activated.messages.push(m); };
    const own: Record<string, unknown> = {
      version: '1.91.0',
      commands: { registerCommand: (name: string, f: () => Promise<void>) => (activated.commands.set(name, f), disposable) },
      languages: { setTextDocumentLanguage: (d: { path: string }, language: string) => Promise.resolve({ path: d.path, language }) },
      workspace: {
        registerTextDocumentContentProvider: (scheme: string, p: never) => (activated.providers.set(scheme, p), disposable), createFileSystemWatcher: () => disposable,
        getConfiguration: () => ({ get: () => activated.settings.command }), openTextDocument: (uri: { path: string }) => Promise.resolve(uri),
        onDidChangeConfiguration: (f: (e: Changed) => void) => ((activated.settings.changed = f), disposable),
      },
      window: {
        showInformationMessage: say, showErrorMessage: say, showTextDocument: (d: { path: string; language: string }) => { activated.shown.push(d); return Promise.resolve(); }, createOutputChannel: () => disposable,
        activeTextEditor: { document: { uri: 'file:///a.ssm' }, selection: { active: {} } },
      },
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
    const path = join(folder, languageClient === undefined ? 'extension/extension.cjs' : 'client.cjs');
    const require = createRequire(import.meta.url);
    delete require.cache[path];
    try {
      return require(path) as ReturnType<typeof load>;
    } finally {
      loader._load = original;
    }
  }

  it('loads where the editor\'s module is there', () => {
    const { module } = stub();
    const extension = load(module, undefined);
    expect([typeof extension.activate, typeof extension.deactivate]).toEqual(['function', 'function']);
  });

  interface Server { readonly module?: string; readonly command?: string }
  /** The client of the protocol, as the extension uses it: a server named `none` doesn't start. */
  function protocol(log: string[], answer: () => object): unknown {
    class LanguageClient {
      readonly code2ProtocolConverter = { asUri: (u: string) => u, asPosition: (p: object) => p };
      readonly #server: Server;
      #runs = false;
      constructor(_id: string, _name: string, server: Server, options: { readonly documentSelector: readonly { readonly language: string }[]; readonly outputChannel?: unknown }) {
        this.#server = server;
        expect(options.documentSelector.every((d) => d.language === 'ssm')).toBe(true);
        expect(options.outputChannel).toBeDefined();
      }
      isRunning(): boolean { return this.#runs; }
      start(): Promise<void> {
        log.push(`start ${this.#server.module ?? this.#server.command}`);
        this.#runs = this.#server.command !== 'none';
        return this.#runs ? Promise.resolve() : Promise.reject(new Error('spawn none ENOENT'));
      }
      stop(): Promise<void> {
        log.push('stop');
        if (!this.#runs) return Promise.reject(new Error('not running'));
        this.#runs = false;
        return Promise.resolve();
      }
      sendRequest(method: string): Promise<object> { log.push(method); return Promise.resolve(answer()); }
    }
    return { LanguageClient, TransportKind: { stdio: 0 } };
  }
  const context = (): { readonly subscriptions: unknown[]; asAbsolutePath(p: string): string } => ({ subscriptions: [], asAbsolutePath: (p) => `/extension/${p}` });
  beforeAll(async () => {
    const { build } = await import('esbuild');
    const result = await build({ entryPoints: [join(root, 'grammar/editor/src/extension.ts')], bundle: true, platform: 'node', format: 'cjs', write: false, external: ['vscode', 'vscode-languageclient/node'] });
    writeFileSync(join(folder, 'client.cjs'), result.outputFiles[0]?.text ?? '');
  });

  it('starts the server inside the extension, shows kernels, and says why there are none', async () => {
    const { module, activated } = stub();
    const log: string[] = [];
    let answer: object = { of: 'Mamba', text: 'kernel one' };
    const extension = load(module, protocol(log, () => answer));
    const at = context();
    await extension.activate(at);
    expect(log).toEqual(['start /extension/server.cjs']);
    // Every command of the manifest is registered.
    const named = (manifest.contributes['commands'] as readonly { command: string }[]).map((c) => c.command);
    expect([...activated.commands.keys()].toSorted()).toEqual(named.toSorted());
    expect(at.subscriptions.length).toBeGreaterThanOrEqual(3);
    await activated.commands.get('ssmc.showKernels')?.();
    const [shown] = activated.shown;
    expect((manifest.contributes['languages'] as readonly { id: string }[]).map((l) => l.id)).toContain(shown?.language);
    expect(activated.providers.get('ssmc-kernels')?.provideTextDocumentContent({ path: shown?.path ?? '' })).toBe('kernel one');
    answer = { why: 'the cursor is in no block or model' };
    await activated.commands.get('ssmc.showKernels')?.();
    expect(activated.messages).toEqual(['No kernels: the cursor is in no block or model']);
    await activated.commands.get('ssmc.restart')?.();
    await extension.deactivate();
    expect(log.slice(-4)).toEqual(['ssmc/kernels', 'stop', 'start /extension/server.cjs', 'stop']);
  });

  it('keeps its commands where a server does not start, and starts another when the settings name one', async () => {
    const { module, activated } = stub();
    const log: string[] = [];
    const extension = load(module, protocol(log, () => ({ of: 'Mamba', text: 'kernel one' })));
    activated.settings.command = ['none'];
    await extension.activate(context());
    await activated.commands.get('ssmc.showKernels')?.();
    expect(activated.messages).toHaveLength(1);
    expect(activated.messages[0]).toContain('not running');
    await activated.commands.get('ssmc.restart')?.();
    expect(log).toEqual(['start none', 'start none']);
    activated.settings.changed({ affectsConfiguration: (name) => name === 'editor.tabSize' });
    activated.settings.command = ['npx', 'ssmc', 'lsp'];
    activated.settings.changed({ affectsConfiguration: (name) => name === 'ssmc.server.command' });
    await extension.deactivate();
    expect(log.slice(2)).toEqual(['start npx', 'stop']);
  });
});
