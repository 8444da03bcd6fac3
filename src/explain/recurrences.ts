/** The normal form of each recurrence in the language's notation: what T and f are, what T's structure is, and with what they change. */
import { affineConstant, type Builder } from '../ir/builder.js';
import { printExpr } from '../ir/print-program.js';
import type { DefinitionId, Expr, Program } from '../ir/program.js';
import type { AffineForm, AffineState, Block, Recurrences, Varies } from '../passes/normal-form.js';

export interface RecurrenceReport {
  readonly states: readonly string[];
  readonly direction: 'forward' | 'backward';
  readonly affine: boolean;
  readonly timeInvariant: boolean;
  /** T of each pair of states that isn't zero. */
  readonly transitions: readonly { readonly to: string; readonly from: string; readonly lag: number; readonly structure: string; readonly varies: Varies; readonly text: string }[];
  /** f of each state that has one. */
  readonly drives: readonly { readonly state: string; readonly varies: Varies; readonly text: string }[];
  /** Why it is no scan, if it is none. */
  readonly why?: string;
}

export function recurrenceReports({ program, forms }: Recurrences, b: Builder): RecurrenceReport[] {
  const name = (id: DefinitionId): string => program.definitions[id]?.name ?? '';
  return forms.map((form): RecurrenceReport => {
    if (form.kind === 'not-affine') {
      return { states: form.states.map(name), direction: form.direction, affine: false, timeInvariant: false, transitions: [], drives: [], why: `${form.why}, in \`${printExpr(program, form.subterm)}\`` };
    }
    return {
      states: form.states.map((s) => name(s.def)), direction: form.direction, affine: true, timeInvariant: form.timeInvariant,
      transitions: form.states.flatMap((s) => s.blocks.filter((x) => x.structure.kind !== 'zero').map((x) => ({
        to: name(x.to), from: name(x.from), lag: x.lag, structure: structureText(x), varies: x.varies, text: printExpr(program, applied(form, s, x, b)),
      }))),
      drives: form.states.flatMap((s) => (s.drive ? [{ state: leftSide(program, s), varies: s.driveVaries, text: printExpr(program, s.drive) }] : [])),
    };
  });
}
/** T·h as an expression. */
function applied(form: AffineForm, state: AffineState, x: Block, b: Builder): Expr {
  const type = form.states.find((s) => s.def === x.from)?.type ?? state.type;
  const time = affineConstant(form.direction === 'backward' ? x.lag : -x.lag);
  return x.terms.map((t) => {
    const read = b.read(x.from, type, t.at, time);
    const one = t.coefficient.kind === 'const' && t.coefficient.value === 1;
    return t.bound.reduceRight((e: Expr, i) => b.reduce('sum', i, e), one ? read : b.binary('mul', t.coefficient, read));
  }).reduce((y, z) => b.binary('add', y, z));
}
function leftSide(program: Program, s: AffineState): string {
  return `${program.definitions[s.def]?.name ?? ''}[${['t', ...s.indices.map((i) => i.name)].join(', ')}]`;
}
function structureText(x: Block): string {
  const along = 'along' in x.structure ? ` along ${x.structure.along.map((a) => a.name).join(', ')}` : '';
  return x.structure.kind === 'factored' ? `of rank ${x.structure.rank}${along}` : `${x.structure.kind}${along}`;
}
const changes: Readonly<Record<Varies, string>> = { load: 'fixed by the weights', sequence: 'fixed for a sequence', step: 'changes with t' };

export function recurrenceText(r: RecurrenceReport): string[] {
  const kind = r.affine ? `affine, ${r.timeInvariant ? 'time-invariant' : 'selective'}` : `not affine: ${r.why ?? ''}`;
  return [
    `recurrence     ${r.states.join(', ')}  ${r.direction}, ${kind}`,
    ...r.transitions.map((x) => `  T  ${x.to} from ${x.from}, ${x.lag === 1 ? 'one step' : `${x.lag} steps`} ${r.direction === 'backward' ? 'ahead' : 'back'}; ${x.structure}; ${changes[x.varies]}: ${x.text}`),
    ...r.drives.map((f) => `  f  ${f.state}; ${changes[f.varies]}: ${f.text}`),
  ];
}
