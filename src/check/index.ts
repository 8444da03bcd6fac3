/** Checks a spec: from its text to a Program, or to what is wrong with it. */
import type { SourceFile, Span } from '../../grammar/ast.js';
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import type { Builder } from '../ir/builder.js';
import type { Definition, DefinitionOf, InputPort, Piece, Program } from '../ir/program.js';
import { checkBlocks } from './blocks.js';
import { checkCausality } from './causality.js';
import { Elaborator } from './elaborate.js';
import { checkInitialisers } from './initialisers.js';
import { Loader, type SourceHost } from './files.js';
import { nearest } from './names.js';
import type { ParamInfo } from './places.js';
import type { Sightings } from './scope.js';

export type { SourceHost } from './files.js';
export type { Entity, Sighting, Sightings } from './scope.js';

export interface CheckOptions {
  /** Which model, where the file has several. */
  readonly model?: string;
}
export interface Checked {
  readonly program: Program | undefined;
  readonly files: readonly SourceFile[];
  /** What names mean, also where there are mistakes: the model's body first, then blocks by themselves. */
  readonly seen: readonly Sightings[];
  /** Of the model's tensors, in order: by their instance, and as they are stored. */
  readonly names: readonly TensorName[];
}
export interface TensorName {
  readonly instance: string;
  readonly stored: string;
}
/** All mistakes of all files are reported in one run; the program is absent if there is one. */
export function check(entry: string, host: SourceHost, builder: Builder, diagnostics: Diagnostics, options: CheckOptions = {}): Checked {
  const loader = new Loader(host, diagnostics);
  const top: Span = { file: entry, start: 0, end: 0 };
  const text = host.read(entry);
  if (text === undefined) {
    diagnostics.error('SSM2003', top, { path: entry });
    return { program: undefined, files: [], seen: [], names: [] };
  }
  const loaded = loader.load(entry, text);
  const blocks = loader.loaded.flatMap((own) => (host.std.has(own.file.path) ? [] : checkBlocks(own, diagnostics)));
  const models = loaded.file.declarations.filter((d) => d.kind === 'model');
  const model = options.model === undefined ? models[0] : models.find((m) => m.name.text === options.model);
  if (!model || (models.length > 1 && options.model === undefined)) {
    if (!diagnostics.hasErrors) diagnostics.error('SSM2029', top, { what: modelMessage(models.map((m) => m.name.text), options.model) });
    return { program: undefined, files: loader.files, seen: blocks, names: [] };
  }
  const work = new Elaborator(builder, diagnostics);
  work.model(model, loaded);
  const names = namePieces(work, diagnostics);
  const inputs = ports(work, diagnostics);
  const seen: Sightings[] = [{ list: work.sightings, definitions: work.definitions, madeUp: false }, ...blocks];
  const program: Program = {
    name: model.name.text, ...(model.doc === undefined ? {} : { doc: model.doc }),
    definitions: work.definitions, inputs, outputs: work.outputs.map((o) => ({ name: o.name, def: o.def })),
  };
  for (const o of work.outputs) if ((work.definitions[o.def] as Definition).type === 'complex') diagnostics.error('SSM2022', o.span, { what: `output \`${o.name}\``, type: 'a complex number', want: 'real; use re, im or abs' });
  if (diagnostics.hasErrors) return { program: undefined, files: loader.files, seen, names };
  checkInitialisers(program, diagnostics);
  const checked = checkCausality(program, (id) => work.isPlain(id), diagnostics);
  return { program: diagnostics.hasErrors ? undefined : checked, files: loader.files, seen, names };
}
function modelMessage(names: readonly string[], wanted: string | undefined): string {
  if (names.length === 0) return 'this file has no model';
  if (wanted === undefined) return `this file has ${names.length} models: say which, ${names.join(' or ')}`;
  const near = nearest(wanted, names);
  return `this file has no model \`${wanted}\`${near === undefined ? '' : `; did you mean \`${near}\`?`}`;
}

/** Stored names: path, the member's label where the parameter has modalities and more, name; then the model's renames. */
function namePieces(work: Elaborator, diagnostics: Diagnostics): readonly TensorName[] {
  const names: TensorName[] = [];
  const hits = new Set<unknown>();
  const taken = new Map<string, Span>();
  const renamed = (name: string): string => {
    for (const r of work.renames) {
      const image = applyRename(name, r.from, r.to);
      if (image !== undefined) { hits.add(r); return image; }
    }
    return name;
  };
  for (const p of work.params) {
    const d = work.definitions[p.def] as DefinitionOf<'param'>;
    const pieces = piecesOf(d, p).map((piece) => {
      const stored = renamed(piece.name);
      names.push({ instance: piece.name, stored });
      return { ...piece, name: stored };
    });
    for (const piece of pieces) {
      if (taken.has(piece.name)) diagnostics.error('SSM2030', p.span, { name: piece.name });
      taken.set(piece.name, p.span);
    }
    work.definitions[p.def] = { ...d, pieces };
  }
  for (const r of work.renames) if (!hits.has(r)) diagnostics.error('SSM2031', r.span, { from: r.from });
  return names;
}
function piecesOf(d: DefinitionOf<'param'>, p: ParamInfo): Piece[] {
  const at = d.indices.findIndex((i) => i.axis.labels !== undefined);
  const labels = at >= 0 ? d.indices[at]?.axis.labels : undefined;
  if (!labels || d.indices.every((i) => i.axis.labels !== undefined)) return [{ name: [...p.path, p.name].join('.'), shape: d.indices.map((i) => i.axis.size) }];
  return labels.map((label, member) => ({
    name: [...p.path, label, p.name].join('.'), member,
    shape: d.indices.flatMap((i, k) => (k === at ? [] : [i.axis.ragged && i.axis.ragged.over === d.indices[at]?.axis ? (i.axis.ragged.sizes[member] as number) : i.axis.size])),
  }));
}
/** `{x}` stands for one segment of a name. */
export function applyRename(name: string, from: string, to: string): string | undefined {
  const holes: string[] = [];
  const pattern = from.split(/(\{\w+\})/).map((part) => {
    if (!/^\{\w+\}$/.test(part)) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const hole = part.slice(1, -1);
    if (holes.includes(hole)) return `\\k<h${holes.indexOf(hole)}>`;
    holes.push(hole);
    return `(?<h${holes.length - 1}>[^.]+)`;
  }).join('');
  const match = new RegExp(`^${pattern}$`).exec(name);
  if (!match) return undefined;
  return to.replace(/\{(\w+)\}/g, (whole, hole: string) => match.groups?.[`h${holes.indexOf(hole)}`] ?? whole);
}

/** An input with modalities and features is a tensor per member; alone of its kind, by the labels only. */
function ports(work: Elaborator, diagnostics: Diagnostics): InputPort[] {
  const split = (d: Definition): boolean => d.indices.some((i) => i.axis.labels) && d.indices.some((i) => !i.axis.labels);
  const many = work.inputs.filter((i) => split(work.definitions[i.def] as Definition)).length > 1;
  const seen = new Set<string>();
  return work.inputs.map((input): InputPort => {
    const d = work.definitions[input.def] as Definition;
    const labels = d.indices[0]?.axis.labels;
    const tensors = !split(d) || !labels
      ? [{ name: input.name, path: [input.name], shape: d.indices.map((i) => i.axis.size) }]
      : labels.map((label, member) => ({
        name: many ? `${input.name}.${label}` : label, path: many ? [input.name, label] : [label], member,
        shape: d.indices.slice(1).map((i) => (i.axis.ragged ? (i.axis.ragged.sizes[member] as number) : i.axis.size)),
      }));
    for (const t of tensors) {
      if (seen.has(t.name)) diagnostics.error('SSM2041', input.span, { name: t.name });
      seen.add(t.name);
    }
    return { def: input.def, tensors };
  });
}
