/** Evaluates a recurrence by its T and f in plain loops, to hold a normal form against the interpreter's states. */
import type { Builder } from '../../src/ir/builder.js';
import type { Definition, DefinitionId, Expr, Index, Program } from '../../src/ir/program.js';
import { interpret, type Tensors } from '../../src/interpreter/interpret.js';
import { columnsOf, entry, type AffineForm, type AffineState, type Block } from '../../src/passes/normal-form.js';

const span = { file: 'test', start: 0, end: 0 };
type Complex = readonly [number, number];

/** Traced values of a definition: [t][element], as complex numbers. */
type Rows = readonly (readonly Complex[])[];

/**
 * The largest difference between a form's states and the interpreter's, relative to the largest state; and the largest Σ |T| over what one
 * element of a state reads in one step.
 */
export function formError(program: Program, form: AffineForm, b: Builder, weights: Tensors, inputs: Tensors): { error: number; gain: number } {
  const definitions: Definition[] = [...program.definitions];
  const define = (body: Expr, indices: readonly Index[]): string => {
    const id = definitions.length as DefinitionId;
    const name = `#probe${id}`;
    definitions.push({ kind: 'equation', id, name, time: true, indices, type: body.type, span, body });
    return name;
  };
  const drives = form.states.map((s) => (s.drive ? define(s.drive, s.indices) : undefined));
  const initials = form.states.map((s) => (s.initial ? define(s.initial, s.indices) : undefined));
  const tables = form.states.map((s) => s.blocks.map((x) => {
    if (x.structure.kind === 'zero') return undefined;
    const columns = columnsOf(stateOf(form, x.from), b);
    return define(entry(x, columns, b), [...s.indices, ...columns]);
  }));
  const names = form.states.map((s) => program.definitions[s.def]?.name ?? '');
  const { traces } = interpret({ ...program, definitions }, weights, inputs, { trace: [...names, ...[drives, initials, tables].flat(2).filter((x) => x !== undefined)] });
  const rows = (name: string): Rows => {
    const t = traces.get(name);
    const d = definitions.find((x) => x.name === name);
    if (!t || !d) throw new Error(`no trace of ${name}`);
    const wide = d.type === 'complex' ? 2 : 1;
    const [, steps] = t.shape as [number, number];
    const size = t.data.length / (t.shape[0] as number) / steps / wide;
    return Array.from({ length: steps }, (_, k) => Array.from({ length: size }, (__, j): Complex => [t.data[(k * size + j) * wide] as number, wide === 2 ? (t.data[(k * size + j) * wide + 1] as number) : 0]));
  };
  const expected = names.map(rows);
  const f = drives.map((n) => (n ? rows(n) : undefined));
  const first = initials.map((n) => (n ? rows(n)[0] : undefined));
  const T = tables.map((list) => list.map((n) => (n ? rows(n) : undefined)));
  const steps = expected[0]?.length ?? 0;
  const found: Complex[][][] = form.states.map(() => []);
  const order = Array.from({ length: steps }, (_, k) => (form.direction === 'backward' ? steps - 1 - k : k));
  let error = 0;
  let size = 0;
  let gain = 0;
  for (const t of order) {
    form.states.forEach((s, a) => {
      const next = expected[a]?.[t]?.map((_, j): [number, number] => [...(f[a]?.[t]?.[j] ?? [0, 0])] as [number, number]) ?? [];
      s.blocks.forEach((x, k) => {
        const table = T[a]?.[k]?.[t];
        if (table) multiply(next, table, past(form, found, first, x, t, steps));
      });
      next.forEach((_, j) => {
        let sum = 0;
        for (const list of T[a] ?? []) {
          const row = list?.[t];
          const width = row ? row.length / next.length : 0;
          for (let k = 0; k < width; k++) sum += Math.hypot(...((row as readonly Complex[])[j * width + k] as Complex));
        }
        gain = Math.max(gain, sum);
      });
      (found[a] as Complex[][])[t] = next;
      next.forEach((v, j) => {
        const e = expected[a]?.[t]?.[j] as Complex;
        error = Math.max(error, Math.hypot(v[0] - e[0], v[1] - e[1]));
        size = Math.max(size, Math.hypot(...e));
      });
    });
  }
  return { error: error / Math.max(size, 1), gain };
}
function stateOf(form: AffineForm, id: DefinitionId): AffineState {
  return form.states.find((s) => s.def === id) as AffineState;
}
function past(form: AffineForm, found: readonly (readonly (readonly Complex[])[])[], first: readonly ((readonly Complex[]) | undefined)[], x: Block, t: number, steps: number): readonly Complex[] {
  const at = form.direction === 'backward' ? t + x.lag : t - x.lag;
  const a = form.states.findIndex((s) => s.def === x.from);
  return (at >= 0 && at < steps ? found[a]?.[at] : first[a]) ?? [];
}
function multiply(next: [number, number][], table: readonly Complex[], h: readonly Complex[]): void {
  next.forEach((v, j) => h.forEach((y, k) => {
    const c = table[j * h.length + k] as Complex;
    v[0] += c[0] * y[0] - c[1] * y[1];
    v[1] += c[0] * y[1] + c[1] * y[0];
  }));
}
