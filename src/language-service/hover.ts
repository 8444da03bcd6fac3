/** What stands here: its shape, type, when it is computed; of a state also its recurrence, how it is run and how it can grow. In Markdown. */
import type { Declaration, Span } from '../../grammar/ast.js';
import type { Compilation } from '../compile.js';
import { recurrenceReports, type RecurrenceReport } from '../explain/recurrences.js';
import { stabilityText } from '../explain/stability.js';
import type { Definition } from '../ir/program.js';
import type { Phase } from '../ir/stages.js';
import { bindingTimes } from '../passes/binding-times.js';
import type { Analyses } from './analysis.js';
import { builtin, fileKeywords, statementKeywords } from './builtins.js';
import { factsAt, shapeText, sizesText, type Fact } from './facts.js';
import { definingOccurrences, occurrenceAt } from './navigation.js';
import type { Project } from './project.js';
import type { Occurrence, SymbolKind } from './symbols.js';
import { wordAt } from './words.js';

export interface Hover {
  readonly markdown: string;
  readonly span: Span;
}

export function hoverAt(project: Project, analyses: Analyses, path: string, offset: number): Hover | undefined {
  const here = occurrenceAt(project, path, offset);
  if (here) return { markdown: symbolText(project, analyses, here), span: here.span };
  const word = wordAt(project.file(path), offset);
  const found = word && (word.keyword ? (statementKeywords.get(word.text) ?? fileKeywords.get(word.text)) : builtin(word.text));
  return found ? { markdown: `${code(found.signature)}\n${found.text}`, span: word.span } : undefined;
}

/** It tells how a state is run, which takes a compilation: some 0.1 s, where other hovers take a millisecond. */
export function hoverCompiles(project: Project, analyses: Analyses, path: string, offset: number): boolean {
  const here = occurrenceAt(project, path, offset);
  return here !== undefined && definingOccurrences(project, here).some((s) => factsAt(analyses, s.span.file, s.span.start, path).some(isRun));
}
/** A state with true sizes: it is in a model. */
function isRun({ definition: d, madeUp }: Fact): boolean {
  return d?.kind === 'equation' && d.state !== undefined && !madeUp;
}

function symbolText(project: Project, analyses: Analyses, here: Occurrence): string {
  const { symbol } = here;
  const sites = definingOccurrences(project, here);
  const facts = sites.flatMap((s) => factsAt(analyses, s.span.file, s.span.start, here.span.file));
  const doc = sites.map((s) => s.defines?.doc).find((d) => d !== undefined);
  const notes = (lines: readonly string[]): string => [...lines, ...(doc === undefined ? [] : [doc])].filter((l) => l !== '').join('\n\n');
  // An input's features may share their name with an equation.
  const kind = facts[0]?.entity.kind === 'axis' ? 'axis' : symbol.kind;
  switch (kind) {
    case 'block': case 'model': {
      const declaration = project.file(symbol.file)?.declarations.find((d) => d.name.text === symbol.name);
      const text = project.text(symbol.file) ?? '';
      return `${code(declaration ? signature(declaration, text) : symbol.name)}\n${notes([project.isLibrary(symbol.file) ? 'From the standard library.' : ''])}`;
    }
    case 'axis': return `${code(`axis ${symbol.name}${equals(sizesText(facts))}`)}\n${notes([axisText(facts), instanceText(facts)])}`;
    case 'option': return `${code(`${symbol.name}${equals(sizesText(facts))}`)}\n${notes(['An option, known when compiling.', instanceText(facts)])}`;
    case 'binder': return `${code(symbol.name)}\nAn index that this reduction binds.`;
    case 'choice': return `${code(symbol.name)}\nA choice of the option \`${optionOf(symbol.id)}\`.`;
    case 'member': return `${code(symbol.name)}\nA member of the modalities \`${memberOf(symbol.id)}\`.`;
    case 'instance': return `${code(`as ${symbol.name}`)}\nA part of the names that tensors are stored under.`;
    default: return `${code(arrayText(kind, symbol.name, facts))}\n${notes(facts.length === 0 && sites.some((s) => s.defines?.arms.length) ? ['No instance takes this arm of the `match`.'] : arrayNotes(analyses, facts))}`;
  }
}
const code = (text: string): string => `\`\`\`ssm\n${text}\n\`\`\``;
const equals = (size: string | undefined): string => (size === undefined ? '' : ` = ${size}`);
const optionOf = (id: string): string => id.slice(id.lastIndexOf('|') + 1, id.lastIndexOf('='));
const memberOf = (id: string): string => id.slice(id.lastIndexOf('|') + 1).split('.')[0] ?? '';

/** Its head, as written, in one line where it fits. */
export function signature(d: Declaration, text: string): string {
  const parameters = d.parameters.map((p) => text.slice(p.span.start, p.span.end));
  const line = `${d.kind} ${d.name.text}${parameters.length === 0 ? '' : `(${parameters.join(', ')})`}`;
  return line.length <= 100 ? line : `${d.kind} ${d.name.text}(\n${parameters.map((p) => `  ${p},\n`).join('')})`;
}

// --- axes and instances -------------------------------------------------------------------------------------------------

function axisText(facts: readonly Fact[]): string {
  const [fact] = facts;
  if (fact?.entity.kind !== 'axis') return '';
  const { axis } = fact.entity;
  if (axis.labels && !fact.madeUp) return `Modalities: ${axis.labels.map((l) => `\`${l}\``).join(', ')}.`;
  return axis.ragged ? `As many as the member of \`${axis.ragged.over.name}\` has.` : '';
}
/** In which instances of a block the sizes are so. */
function instanceText(facts: readonly Fact[]): string {
  const paths = [...new Set(facts.flatMap((f) => (f.madeUp || f.path.length === 0 ? [] : f.path.join('.'))))];
  const [first, ...more] = paths;
  if (first === undefined) return '';
  const model = facts.find((f) => f.model.model !== undefined)?.model.model;
  return `In \`${first}\`${more.length === 0 ? '' : ` and ${more.length} more`}${model === undefined ? '' : ` of \`${model}\``}.`;
}

// --- arrays -------------------------------------------------------------------------------------------------------------

function arrayText(kind: SymbolKind, name: string, facts: readonly Fact[]): string {
  const word = kind === 'equation' || kind === 'argument' ? '' : `${kind} `;
  const shapes = [...new Set(facts.flatMap((f) => (f.entity.kind === 'array' ? shapeText(f.entity, f.madeUp) : [])))];
  return shapes.length === 0 ? `${word}${name}` : shapes.slice(0, 3).map((s) => `${word}${name}${s}`).join('\n');
}
const times: Readonly<Record<Phase, string>> = {
  load: 'computed once, when weights are bound', begin: 'computed at the start of a sequence', step: 'computed at each step', finish: 'computed when the answer is wanted',
};
function arrayNotes(analyses: Analyses, facts: readonly Fact[]): string[] {
  const fact = facts.find((f) => f.definition);
  const d = fact?.definition;
  if (!fact || !d) return [];
  const { program } = fact.model;
  const elements = d.indices.reduce((n, i) => n * i.axis.size, 1);
  const phase = program && !fact.madeUp ? bindingTimes(program).phase.get(d.id) : undefined;
  const when = d.kind === 'input' ? 'given' : d.kind === 'param' ? 'stored' : phase ? times[phase] : '';
  const size = fact.madeUp ? '' : `, ${elements} ${elements === 1 ? 'element' : 'elements'}${d.time ? ' a step' : ''}`;
  const bound = d.fact && `Assumed to lie in [${d.fact.low}, ${d.fact.high}].`;
  return [`${d.type}${size}${when === '' ? '' : `; ${when}`}`, ...storedText(d), bound ?? '', ...stateNotes(analyses, fact, d), instanceText(facts)];
}
function storedText(d: Definition): string[] {
  if (d.kind !== 'param' || d.pieces.length === 0) return [];
  const shown = d.pieces.slice(0, 4).map((p) => `\`${p.name}\` [${p.shape.join(', ')}]`);
  return [`Stored as ${shown.join(', ')}${d.pieces.length > 4 ? ` and ${d.pieces.length - 4} more` : ''}.`];
}
/** The recurrence that it belongs to: T and f, the bound on its growth, and how it is run. */
function stateNotes(analyses: Analyses, fact: Fact, d: Definition): string[] {
  if (d.kind !== 'equation' || !d.state || fact.madeUp || !fact.model.program) return [];
  const compiled = analyses.compiled(fact.analysis.path, fact.model.model);
  if (!compiled?.module) return [];
  const { recurrences, stability } = compiled.module;
  const form = recurrenceReports(recurrences, compiled.builder).find((r) => r.states.includes(d.name));
  const bound = stability.find((s) => s.states.includes(d.name));
  return [...(form ? formNotes(form) : []), ...(bound ? [`**Stability** ${stabilityText(bound)}`] : []), ...strategyNotes(compiled, d.name)];
}
const longest = 240;
const cut = (text: string): string => (text.length > longest ? `${text.slice(0, longest - 1)}…` : text);
function formNotes(r: RecurrenceReport): string[] {
  const head = `**Recurrence** ${r.direction}, ${r.affine ? `affine, ${r.timeInvariant ? 'time-invariant' : 'selective'}` : `not affine: ${r.why ?? ''}`}`;
  return [head, ...r.transitions.map((x) => `T·h, ${x.structure}: \`${cut(x.text)}\``), ...r.drives.map((f) => `f: \`${cut(f.text)}\``)];
}
function strategyNotes({ module }: Compilation, state: string): string[] {
  const bare = (name: string): string => name.replace(/#.*$/, '');
  const stage = module?.graph.stages.find((s) => s.strategy && s.items.some((i) => bare(module.graph.program.definitions[i.def]?.name ?? '') === bare(state)));
  return stage?.strategy ? [`**Run** ${stage.strategy.name}: ${stage.strategy.why}`] : [];
}
