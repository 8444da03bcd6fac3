/**
 * A spec as bundlers take it: a module's code, the kernels beside it, its declarations, and what is wrong with it at absolute places.
 * It knows no bundler; how kernels are reached from the code is told to `withUrls`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { parse } from '../../grammar/parser.js';
import { outputOf } from '../cli/compile.js';
import { openSpec, packageRoot, type Io, type Opened } from '../cli/io.js';
import { replaceFile } from '../cli/write.js';
import { compile } from '../compile.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { positionOf, renderDiagnostic } from '../diagnostics/render.js';
import type { Strategy } from '../ir/stages.js';

export interface SsmcOptions {
  /** `wasm`, and `wgsl` for WebGPU beside it. Both by default; a model beyond WebGPU's limits then goes without. */
  readonly targets?: readonly ('wasm' | 'wgsl')[];
  /** Also a relaxed-SIMD build, taken at load where the engine has it. */
  readonly relaxed?: boolean;
  readonly strategy?: 'auto' | Strategy;
  /** What kernels for WebGPU store activations and constants as; float32 by default. */
  readonly storage?: 'f32' | 'f16' | 'bf16';
  /** `unstable`: a recurrence that may grow without bound is an error. */
  readonly deny?: 'unstable';
  /**
   * Declarations beside each spec, written when they change: `beside` (the default) is mex.ssm.d.ts, which TypeScript finds under
   * `"moduleResolution": "bundler"`; `arbitrary` is mex.d.ssm.ts, for `nodenext` with `"allowArbitraryExtensions": true`.
   */
  readonly types?: 'beside' | 'arbitrary' | 'none';
}
/** A diagnostic as bundlers show it. */
export interface Complaint {
  readonly severity: Diagnostic['severity'];
  /** Code and sentence. */
  readonly text: string;
  /** Absolute. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 0. */
  readonly column: number;
  readonly length: number;
  readonly lineText: string;
  /** The source with the place marked, notes and fix. */
  readonly frame: string;
  readonly notes: readonly string[];
}
export interface CompiledSpec {
  /** Absolute paths of all that was read, or looked for in vain. */
  readonly touched: readonly string[];
  readonly complaints: readonly Complaint[];
  /** Absent where there are errors. Kernels stand in the code as `new URL("./NAME", import.meta.url)`. */
  readonly code?: string;
  readonly assets: ReadonlyMap<string, Uint8Array>;
  readonly declarations?: string;
}

/** `id`: a path, perhaps with `?model=NAME`. A file of several models is a module of all of them. */
export function compileSpec(id: string, options: SsmcOptions): CompiledSpec {
  const { file, model } = splitId(id);
  const opened = openSpec(file, quiet(dirname(file)));
  const models = model === undefined ? modelsOf(opened) : [model];
  const parts = models.length > 1 ? models.map((name) => compileModel(opened, name, options)) : [compileModel(opened, model, options)];
  const [first] = parts;
  if (first && parts.length === 1) return first;
  const failed = parts.some((p) => p.code === undefined);
  return {
    touched: opened.touched(), complaints: distinct(parts.flatMap((p) => p.complaints)), assets: new Map(),
    ...(failed ? {} : { code: models.map((name) => `export * from ${JSON.stringify(`./${basename(file)}?model=${name}`)};\n`).join(''), declarations: joined(parts.map((p) => p.declarations ?? '')) }),
  };
}
/** A path and the model that its query names. */
export function splitId(id: string): { readonly file: string; readonly model: string | undefined } {
  const [file = '', query = ''] = id.split('?', 2);
  return { file, model: new URLSearchParams(query).get('model') ?? undefined };
}
/** The code, its kernels reached by expressions of the bundler's. */
export const withUrls = (code: string, url: (asset: string) => string): string => code.replace(/new URL\("\.\/([^"]+)", import\.meta\.url\)/g, (_, name: string) => url(name));

/** Where declarations stand: beside the spec, by the name under which TypeScript looks for them. */
export const declarationsPath = (file: string, where: 'beside' | 'arbitrary'): string => (where === 'beside' ? `${file}.d.ts` : file.replace(/\.ssm$/, '.d.ssm.ts'));
export function writeDeclarations(file: string, text: string, where: 'beside' | 'arbitrary'): void {
  const path = declarationsPath(file, where);
  const before = textOf(path);
  if (before === undefined) writeFileSync(path, text);
  else if (before !== text) replaceFile(path, text);
}
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const quiet = (cwd: string): Io => ({ out: () => undefined, err: () => undefined, cwd, colour: false, terminal: false });
function modelsOf(opened: Opened): readonly string[] {
  return parse(opened.host.read(opened.entry) ?? '', opened.entry).file.declarations.flatMap((d) => (d.kind === 'model' ? [d.name.text] : []));
}
function compileModel(opened: Opened, model: string | undefined, { targets = [], relaxed = false, strategy = 'auto', storage = 'f32', deny }: SsmcOptions): CompiledSpec {
  const compilation = compile(opened.entry, opened.host, {
    specHash: '', strategy, storage, relaxed, denyUnstable: deny === 'unstable', webgpu: targets.length === 0 ? 'where-it-fits' : targets.includes('wgsl'), ...(model === undefined ? {} : { model }),
  });
  const told = { touched: opened.touched(), complaints: compilation.diagnostics.map((d) => complaint(d, opened)) };
  const { module, program } = compilation;
  if (!module || !program) return { ...told, assets: new Map() };
  const { output, base } = outputOf({ opened, compilation, program, module: { ...module, manifest: { ...module.manifest, spec: opened.hash() } } }, false);
  return { ...told, code: output.entries.get(`${base}.js`) ?? '', assets: output.assets, declarations: output.entries.get(`${base}.d.ts`) ?? '' };
}

function complaint(d: Diagnostic, opened: Opened): Complaint {
  const text = opened.source(d.span.file) ?? '';
  const { line, column } = positionOf(text, d.span.start);
  const file = opened.host.std.has(d.span.file) ? join(packageRoot(), 'grammar', d.span.file) : resolve(opened.root, d.span.file);
  return {
    severity: d.severity, text: `${d.code}: ${d.text}`, file, line, column: column - 1, length: d.span.end - d.span.start, lineText: text.split('\n')[line - 1] ?? '',
    frame: renderDiagnostic(d, opened.source).split('\n').slice(1).join('\n'),
    notes: [...d.notes.map((n) => n.text), ...(d.fix ? [`fix: ${d.fix.text}`] : [])],
  };
}
const distinct = (all: readonly Complaint[]): readonly Complaint[] => all.filter((c, k) => all.findIndex((o) => o.text === c.text && o.file === c.file && o.line === c.line && o.column === c.column) === k);
/** Modules of declarations as one: what they import is imported once. */
const joined = (texts: readonly string[]): string => [...new Set(texts.join('\n').split('\n').filter((l) => l.startsWith('import ') || l.startsWith('// ')))].join('\n')
  + `\n${texts.map((t) => t.split('\n').filter((l) => !l.startsWith('import ') && !l.startsWith('// ')).join('\n')).join('')}`;
