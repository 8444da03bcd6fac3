/**
 * In a loop over steps, rows that every thread of a group reads alike (B and C of a scan) are brought into the group's memory once, a
 * tile of steps at a time: one coalesced read per group in place of one per thread, and two barriers per tile, none per step. Where memory can
 * be copied while threads compute, the next tile is under way during this one's steps, and one barrier is enough.
 *
 * for t: … x[row(t)·s + c] …   becomes   for tiles of steps: barrier; copy; barrier; for t in the tile: … shared[t, c] …
 *
 * Where the lanes of a point put off what follows their sums (`deferred.ts`), it stands at the end of a tile.
 */
import type { Int, Kernel, LocalMemory, Stmt, Value } from '../../../ir/kernel.js';
import { mapStmts, visitStmts } from '../../../ir/map-kernel.js';
import { withoutUnused } from '../../../ir/unused.js';
import { iadd, icompare, imax, imin, imul, int, intKey, intVars, ivar } from '../ints.js';
import { THREAD } from './access.js';
import { deferred, LANE, loadsOfThreads, storesOfThreads, type Deferred } from './deferred.js';
import { linear } from './linear.js';
import type { Threads } from './machine.js';

type For = Extract<Stmt, { kind: 'for' }>;
type Load = Extract<Value, { kind: 'load' }>;
/** Loads of one buffer whose addresses differ by constants and inner loops only. */
interface Family {
  readonly buffer: string;
  readonly stride: number;
  readonly rest: readonly (readonly [name: string, coefficient: number])[];
  readonly spans: { low: number; high: number }[];
}
interface Slice {
  readonly family: Family;
  readonly low: number;
  readonly width: number;
  /** Where it begins in a step's part of the shared memory. */
  readonly position: number;
}

/** The most steps of a tile: more would not hide more. */
const MOST_STEPS = 32;

export function stageShared(kernel: Kernel, machine: Threads): Kernel {
  const loop = loopOverSteps(kernel);
  const plan = loop && new Plan(kernel, loop, machine).make();
  return plan ? tiled(kernel, loop, plan) : kernel;
}
/**
 * The same of a kernel whose lanes share points, and exchange what they sum through the group's memory, a tile of steps at a time. `lane`: a
 * thread's. Undefined where a sum can't wait for the end of a tile.
 */
export function throughMemory(kernel: Kernel, machine: Threads, lane: Int): Kernel | undefined {
  const lanes = kernel.grid?.lanes ?? 1;
  const loop = loopOverSteps(kernel);
  const parts = loop && deferred(kernel, loop, lanes);
  if (!loop || !parts) return undefined;
  const memories = new Set((kernel.memories ?? []).map((m) => m.name));
  const threaded = (list: readonly Stmt[]): Stmt[] => storesOfThreads(list, lanes, (b) => b === PARTS || memories.has(b));
  const own: Deferred = { ...parts, early: (memory, at) => threaded(parts.early(memory, at)) };
  const plan = new Plan(kernel, loop, machine, { ...own, lanes }).make();
  if (!plan && parts.sums > 0) return undefined;
  const body = kernel.body.flatMap((s): readonly Stmt[] => (s !== loop ? threaded([s]) : plan ? plan.stmts : [{ ...loop, body: own.early(PARTS, () => int(0)) }]));
  return withoutUnused(loadsOfThreads({ ...kernel, body, memories: [...(kernel.memories ?? []), ...(plan?.memories ?? [])] }, lanes, lane));
}
/** The kernel's loop over the steps of its sequence, in either direction. */
export function loopOverSteps(kernel: Kernel): For | undefined {
  if (!kernel.grid || kernel.grid.threads < 2) return undefined;
  const isInt = (e: Int): boolean => e.kind === 'int';
  return kernel.body.find((s): s is For => s.kind === 'for' && ((s.step === 1 && !isInt(s.to)) || (s.step === -1 && !isInt(s.from))));
}
function tiled(kernel: Kernel, loop: For, plan: Tiled): Kernel {
  const at = kernel.body.indexOf(loop);
  return { ...kernel, body: [...kernel.body.slice(0, at), ...plan.stmts, ...kernel.body.slice(at + 1)], memories: [...(kernel.memories ?? []), ...plan.memories] };
}
interface Tiled {
  readonly stmts: readonly Stmt[];
  readonly memories: readonly LocalMemory[];
}
const SHARED = '$shared';
const PARTS = '$parts';
/** Banks of a group's memory: threads that read the same one wait for each other. */
const BANKS = 32;

class Plan {
  readonly #kernel: Kernel;
  readonly #loop: For;
  readonly #machine: Threads;
  readonly #ranges = new Map<string, { low: number; high: number }>();
  /** Integers that differ between threads, or from step to step. */
  readonly #varying = new Set<string>(['$l']);
  #row = '';
  /** The integer that numbers a thread's point: group · per + its number in the group. */
  #point = '';
  readonly #parts: (Deferred & { readonly lanes: number }) | undefined;

  constructor(kernel: Kernel, loop: For, machine: Threads, parts?: Deferred & { readonly lanes: number }) {
    this.#kernel = kernel;
    this.#machine = machine;
    this.#parts = parts;
    this.#loop = parts ? { ...loop, body: parts.early(PARTS, () => int(0)) } : loop;
    const vary = (s: Stmt): void => {
      if (s.kind !== 'int') return;
      if (this.#isOfGroup(s.value)) return;
      if (s.value.kind === 'iadd' && s.value.terms.some((t) => intKey(t) === intKey(imul(ivar('$g'), this.#per)))) this.#point = s.name;
      if ([...intVars(s.value)].some((v) => this.#varying.has(v))) this.#varying.add(s.name);
    };
    visitStmts(kernel.body.slice(0, kernel.body.indexOf(loop)), vary);
    this.#varying.add(loop.name);
    const own = intKey(iadd(imul(ivar('$b'), ivar('$T')), ivar(loop.name)));
    visitStmts(this.#loop.body, (s) => {
      if (s.kind === 'int' && intKey(s.value) === own) this.#row = s.name;
      vary(s);
      if (s.kind !== 'for') return;
      if (s.from.kind === 'int' && s.to.kind === 'int' && s.step > 0) this.#ranges.set(s.name, { low: s.from.value, high: s.to.value - 1 });
      else this.#varying.add(s.name);
    });
    this.#varying.delete(this.#row);
  }

  /** ⌊point / a multiple of a group's points⌋ is the same for all threads of a group. */
  #isOfGroup(e: Int): boolean {
    return e.kind === 'idiv' && e.left.kind === 'ivar' && e.left.name === this.#point && e.by % this.#per === 0;
  }
  /** Points of a group; of chunks the groups are counted by steps. */
  get #per(): number {
    const { threads = 1, lanes = 1 } = this.#kernel.grid ?? {};
    return threads / lanes;
  }
  make(): Tiled | undefined {
    // A tile of steps is the group's: all its threads begin at the same one.
    if (this.#row === '' || [...intVars(this.#loop.from), ...intVars(this.#loop.to)].some((v) => this.#varying.has(v))) return undefined;
    const families = this.#families();
    const slices: Slice[] = [];
    let width = 0;
    for (const family of families.values()) for (const span of merged(family.spans)) {
      slices.push({ family, low: span.low, width: span.high - span.low + 1, position: width });
      width += span.high - span.low + 1;
    }
    const ahead = this.#copies(slices);
    const halves = ahead ? 2 : 1;
    const parts = (this.#parts?.sums ?? 0) * this.#rowOfParts;
    const within = (bytes: number): number => 2 ** Math.floor(Math.log2(Math.floor(bytes / 4 / Math.max(1, halves * width + parts))));
    // More than its worth only for two steps at once; at most half, so that two groups can be on a core.
    const steps = Math.min(MOST_STEPS, Math.max(within(this.#machine.tileWorth), Math.min(2, within(this.#machine.shared / 2))));
    if ((width < 4 && parts === 0) || !(steps >= 2)) return undefined;
    return {
      stmts: ahead ? this.#ahead(slices, width, steps) : this.#tiled(slices, width, steps),
      memories: [
        ...(width > 0 ? [{ name: SHARED, size: halves * steps * width, space: 'group' as const }] : []),
        ...(parts > 0 ? [{ name: PARTS, size: steps * parts, space: 'group' as const }] : []),
      ],
    };
  }
  /** One sum's parts of one step: lanes that take a step each read different banks. */
  get #rowOfParts(): number {
    const threads = this.#kernel.grid?.threads ?? 1;
    return threads + (this.#per < BANKS ? this.#per : 0);
  }
  /** What is copied unseen has to be stored as it is computed with. */
  #copies(slices: readonly Slice[]): boolean {
    const floats = new Set(this.#kernel.parameters.flatMap((p) => (p.kind === 'buffer' && p.element === 'f32' ? [p.name] : [])));
    return this.#machine.copies && slices.length > 0 && slices.every((s) => floats.has(s.family.buffer));
  }
  #families(): Map<string, Family> {
    const found = new Map<string, Family>();
    const written = new Set(this.#kernel.parameters.flatMap((p) => (p.kind === 'buffer' && p.access !== 'read' ? [p.name] : [])));
    const local = new Set((this.#kernel.memories ?? []).map((m) => m.name));
    mapStmts(this.#loop.body, { value: (v) => {
      if (v.kind !== 'load' || written.has(v.buffer) || local.has(v.buffer)) return undefined;
      const f = this.#family(v);
      if (!f) return undefined;
      const known = found.get(f.key);
      if (known) known.spans.push(f.span);
      else found.set(f.key, { buffer: v.buffer, stride: f.stride, rest: f.rest, spans: [f.span] });
      return undefined;
    } });
    return found;
  }
  #family(v: Load): { key: string; stride: number; rest: Family['rest']; span: { low: number; high: number } } | undefined {
    const across = typeof v.access === 'object' ? laneSpan(v.access) : v.access === 'uniform' ? 0 : (this.#kernel.grid?.lanes ?? 1) - 1;
    if (across === undefined) return undefined;
    const l = linear(v.at);
    const stride = l?.terms.get(this.#row);
    if (!l || stride === undefined || stride < 1) return undefined;
    const rest: [string, number][] = [];
    let { constant: low, constant: high } = l;
    for (const [name, coefficient] of l.terms) {
      if (name === this.#row) continue;
      const range = this.#ranges.get(name);
      if (range) {
        low += Math.min(coefficient * range.low, coefficient * range.high);
        high += Math.max(coefficient * range.low, coefficient * range.high);
      } else if (this.#varying.has(name)) return undefined;
      else rest.push([name, coefficient]);
    }
    high += across;
    rest.sort(([a], [b]) => (a < b ? -1 : 1));
    return { key: `${v.buffer} ${stride} ${rest.join(' ')}`, stride, rest, span: { low, high } };
  }

  /** for tiles: barrier; copy the tile; barrier; its steps. */
  #tiled(slices: readonly Slice[], width: number, steps: number): Stmt[] {
    const first = `${this.#loop.name}0`;
    const start = ivar(first);
    return [{
      kind: 'for', name: first, from: this.#loop.from, to: this.#loop.to, step: this.#ward(steps), body: [
        { kind: 'barrier' },
        ...(slices.length > 0 ? [...slices.map((s, k) => this.#copy(s, `q${k}`, start, width, steps)), { kind: 'barrier' } as const] : []),
        this.#steps(slices, width, steps, start, int(0)),
        ...this.#after(steps, start),
      ],
    }];
  }
  /**
   * Two halves of the memory in turn: copy the first tile; for tiles: await; barrier; copy the next tile to the other half; this one's steps. The
   * barrier says that a tile is there, and that nobody reads the other half any more.
   */
  #ahead(slices: readonly Slice[], width: number, steps: number): Stmt[] {
    const { from, to, name } = this.#loop;
    const start = ivar(`${name}0`);
    const half = ivar(`${name}h`);
    const size = steps * width;
    const next = iadd(start, int(this.#ward(steps)));
    return [
      ...slices.map((s, k) => this.#bring(s, `p${k}`, from, int(0), width, steps)), { kind: 'commit' },
      {
        kind: 'for', name: `${name}0`, from, to, step: this.#ward(steps), body: [
          { kind: 'int', name: `${name}h`, value: imul({ kind: 'imod', left: { kind: 'idiv', left: this.#since(start, from), by: steps }, by: 2 }, size) },
          { kind: 'await', pending: 0 },
          { kind: 'barrier' },
          ...slices.map((s, k) => this.#bring(s, `q${k}`, next, iadd(int(size), imul(half, -1)), width, steps)), { kind: 'commit' },
          this.#steps(slices, width, steps, start, half),
          ...this.#after(steps, start),
        ],
      },
    ];
  }
  /** The steps of one tile, which read the group's memory from `base` on. */
  #steps(slices: readonly Slice[], width: number, steps: number, start: Int, base: Int): Stmt {
    const t = this.#since(ivar(this.#loop.name), start);
    const first = this.#parts ? this.#parts.early(PARTS, (sum) => this.#partAt(sum, steps, t, THREAD)) : this.#loop.body;
    const body = mapStmts(first, { value: (v) => {
      if (v.kind !== 'load') return undefined;
      const f = this.#family(v);
      const slice = f && slices.find((s) => s.family.buffer === v.buffer && s.family.stride === f.stride && `${s.family.rest}` === `${f.rest}` && s.low <= f.span.low && f.span.high < s.low + s.width);
      const l = slice && linear(v.at);
      if (!slice || !l) return undefined;
      const inner = [...l.terms].filter(([name]) => this.#ranges.has(name)).map(([name, c]) => imul(ivar(name), c));
      return { ...v, buffer: SHARED, at: iadd(base, imul(t, width), int(slice.position - slice.low + l.constant), ...inner) };
    } });
    return { ...this.#loop, from: start, to: this.#endOf(start, steps), body };
  }
  /** After a tile's steps: what was put off, a step to each lane in turn. */
  #after(steps: number, start: Int): Stmt[] {
    const parts = this.#parts;
    if (!parts || parts.sums === 0) return [];
    const point: Int = { kind: 'imod', left: THREAD, by: this.#per };
    const t = this.#since(ivar(this.#loop.name), start);
    const body = parts.late(PARTS, (sum, lane) => this.#partAt(sum, steps, t, iadd(int(lane * this.#per), point)));
    return [
      { kind: 'barrier' },
      { kind: 'for', name: this.#loop.name, from: iadd(start, imul(LANE, this.#loop.step)), to: this.#endOf(start, steps), step: this.#ward(parts.lanes), body },
    ];
  }
  #partAt(sum: number, steps: number, t: Int, thread: Int): Int {
    return iadd(int(sum * steps * this.#rowOfParts), imul(t, this.#rowOfParts), thread);
  }
  /** Steps, as the loop counts them: backward ones are negative. */
  #ward(steps: number): number {
    return this.#loop.step * steps;
  }
  /** How many steps after the first one. */
  #since(t: Int, first: Int): Int {
    return this.#loop.step > 0 ? iadd(t, imul(first, -1)) : iadd(first, imul(t, -1));
  }
  #endOf(start: Int, steps: number): Int {
    const end = iadd(start, int(this.#ward(steps)));
    return this.#loop.step > 0 ? imin(end, this.#loop.to) : imax(end, this.#loop.to);
  }
  /** Where a slice's element of a step lies in its buffer. */
  #source(slice: Slice, step: Int, column: Int): Int {
    const row = iadd(imul(ivar('$b'), ivar('$T')), step);
    return iadd(imul(row, slice.family.stride), ...slice.family.rest.map(([n, c]) => imul(ivar(n), c)), int(slice.low), column);
  }
  /** Steps past the end of the sequence are left as they were: nothing reads them. */
  #copy(slice: Slice, q: string, start: Int, width: number, steps: number): Stmt {
    return this.#each(slice.width, q, start, steps, (step, column) => ({
      kind: 'store', buffer: SHARED, at: iadd(imul(step, width), int(slice.position), column), lanes: 'one',
      value: { kind: 'load', buffer: slice.family.buffer, at: this.#source(slice, iadd(start, imul(step, this.#loop.step)), column), access: 'uniform' },
    }));
  }
  /** The same without waiting, four elements at once where all that they lie at is divisible. */
  #bring(slice: Slice, q: string, start: Int, base: Int, width: number, steps: number): Stmt {
    const { stride, rest, buffer } = slice.family;
    const wide = [slice.low, slice.width, slice.position, width, stride, ...rest.map(([, c]) => c)].every((n) => n % 4 === 0) ? 4 : 1;
    return this.#each(slice.width / wide, q, start, steps, (step, column) => ({
      kind: 'copy', memory: SHARED, at: iadd(base, imul(step, width), int(slice.position), imul(column, wide)),
      buffer, from: this.#source(slice, iadd(start, imul(step, this.#loop.step)), imul(column, wide)), width: wide,
    }));
  }
  /** For each step of a tile that is in the sequence, and each of `columns`, by the threads of the group in turn. */
  #each(columns: number, q: string, start: Int, steps: number, body: (step: Int, column: Int) => Stmt): Stmt {
    const at = ivar(q);
    const step = ivar(`${q}t`);
    return {
      kind: 'for', name: q, from: THREAD, to: int(steps * columns), step: this.#kernel.grid?.threads ?? 1, body: [
        { kind: 'int', name: `${q}t`, value: columns === 1 ? at : { kind: 'idiv', left: at, by: columns } },
        {
          kind: 'if', cond: this.#loop.step > 0 ? icompare('lt', iadd(start, step), this.#loop.to) : icompare('lt', this.#loop.to, iadd(start, imul(step, -1))), else: [],
          then: [body(step, columns === 1 ? int(0) : { kind: 'imod', left: at, by: columns })],
        },
      ],
    };
  }
}

/** Elements between what the first and the last lane read. */
function laneSpan({ stride, last }: { readonly stride: Int; readonly last: Int }): number | undefined {
  return stride.kind === 'int' && last.kind === 'int' ? stride.value * last.value : undefined;
}
/** Overlapping and neighbouring spans as one. */
function merged(spans: readonly { low: number; high: number }[]): { low: number; high: number }[] {
  const out: { low: number; high: number }[] = [];
  for (const s of [...spans].sort((a, b) => a.low - b.low)) {
    const last = out.at(-1);
    if (last && s.low <= last.high + 1) last.high = Math.max(last.high, s.high);
    else out.push({ ...s });
  }
  return out;
}
