/**
 * What the compiler says of a file. Checking takes milliseconds, so it is done as one types; compiling is asked for when there is time
 * for it, or when an answer needs it. Both are kept until a text that they read changes.
 */
import { check, type Sightings, type SourceHost } from '../check/index.js';
import { compile, type Compilation } from '../compile.js';
import { Diagnostics, type Diagnostic } from '../diagnostics/diagnostic.js';
import { Builder } from '../ir/builder.js';
import type { Program } from '../ir/program.js';
import { stabilityReport } from '../passes/index.js';
import type { Project } from './project.js';

export interface ModelAnalysis {
  /** Absent for a file without models. */
  readonly model?: string;
  /** Absent where there are mistakes. */
  readonly program?: Program;
  readonly seen: readonly Sightings[];
  readonly files: readonly string[];
}
export interface Analysis {
  readonly path: string;
  readonly models: readonly ModelAnalysis[];
  /** Of all files that it reads, in order of place. */
  readonly diagnostics: readonly Diagnostic[];
}
interface Checked {
  readonly read: ReadonlyMap<string, string | undefined>;
  readonly analysis: Analysis;
}
interface Compiled {
  readonly of: Analysis;
  readonly compilation: Compilation | undefined;
}
/** Larger models are not compiled as one types. */
const patience = 2000;

export class Analyses {
  readonly #project: Project;
  readonly #checked = new Map<string, Checked>();
  readonly #compiled = new Map<string, Compiled>();
  constructor(project: Project) {
    this.#project = project;
  }

  of(path: string): Analysis {
    const { host } = this.#project;
    const known = this.#checked.get(path);
    if (known && [...known.read].every(([p, text]) => host.read(p) === text)) return known.analysis;
    const read = new Map<string, string | undefined>();
    const analysis = this.#check(path, { std: host.std, read: (p) => {
      const text = host.read(p);
      read.set(p, text);
      return text;
    } });
    this.#checked.delete(path);
    this.#checked.set(path, { read, analysis });
    return analysis;
  }
  /** The compiled model; absent where there are mistakes, or it is too large to compile in passing. */
  compiled(path: string, model?: string): Compilation | undefined {
    const analysis = this.of(path);
    const key = `${path}#${model ?? ''}`;
    const known = this.#compiled.get(key);
    if (known?.of === analysis) return known.compilation;
    const compilation = this.#compile(analysis, model);
    this.#compiled.set(key, { of: analysis, compilation });
    return compilation;
  }
  /** Also what only compiling finds: limits of targets, and recurrences that are no scans. */
  full(path: string): readonly Diagnostic[] {
    const { models, diagnostics } = this.of(path);
    const all = new Diagnostics();
    for (const d of diagnostics) all.add(d);
    for (const m of models) for (const d of (m.model === undefined ? undefined : this.compiled(path, m.model))?.diagnostics ?? []) all.add(d);
    return all.list;
  }
  /** The analyses that hold something of a file: that of the file from which it is asked for first, its own, then those that were asked for last. */
  around(path: string, near = path): readonly Analysis[] {
    const first = [...new Set([near, path])].filter((p) => !this.#project.isLibrary(p));
    const own = first.map((p) => this.of(p));
    const others = [...this.#checked.keys()].filter((p) => !first.includes(p) && this.#project.text(p) !== undefined).toReversed().map((p) => this.of(p));
    return [...own, ...others].filter((a) => a.path === path || a.models.some((m) => m.files.includes(path)));
  }

  #check(path: string, host: SourceHost): Analysis {
    const all = new Diagnostics();
    const file = this.#project.file(path);
    const names = (file?.declarations ?? []).filter((d) => d.kind === 'model').map((d) => d.name.text);
    const models = (names.length === 0 ? [undefined] : names).map((model): ModelAnalysis => {
      const builder = new Builder();
      const diagnostics = new Diagnostics();
      const { program, seen, files } = check(path, host, builder, diagnostics, model === undefined ? {} : { model });
      if (program) stabilityReport(program, builder, diagnostics);
      // A file of blocks alone is no mistake while it is edited.
      for (const d of diagnostics.list) if (!(d.code === 'SSM2029' && d.span.end === 0)) all.add(d);
      return { seen, files: files.map((f) => f.path), ...(model === undefined ? {} : { model }), ...(program ? { program } : {}) };
    });
    return { path, models, diagnostics: all.list };
  }
  #compile({ path, models }: Analysis, model: string | undefined): Compilation | undefined {
    const { program } = models.find((m) => m.model === model) ?? {};
    if (!program || program.definitions.length > patience) return undefined;
    try {
      return compile(path, this.#project.host, { specHash: '', ...(model === undefined ? {} : { model }) });
    } catch (error) {
      this.#project.host.onBug?.(error);
      return undefined;
    }
  }
}
