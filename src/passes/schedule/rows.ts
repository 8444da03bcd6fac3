/**
 * What kernels of a machine with lanes have in common while they are written: the writer, which step of which sequence the code at hand is for, rows of
 * activations to read and write, constants packed in the order of loops, and what buffers and scalars have been used so far, which become
 * the kernel's parameters in that order. States are not here: each kind of kernel keeps them in its own way.
 */
import type { Int, Kernel, Value } from '../../ir/kernel.js';
import type { Affine, DefinitionId, Expr, ExprOf, Index } from '../../ir/program.js';
import type { Item } from '../../ir/stages.js';
import { isNow, visitExpr } from '../../ir/builder.js';
import { element, lastMember, loadConstant, loadScratch, loadValue, type AccessShape } from './access.js';
import { num } from './expressions.js';
import { iadd, iand, icompare, imax, imin, imul, int } from './ints.js';
import type { Layout } from './layout.js';
import { LENGTHS } from './limits.js';
import { Parameters } from './parameters.js';
import { affinePlace, Envs, placeOf, type Env } from './places.js';
import { Writer } from './writer.js';


/** Inside the loop over steps: the step, the sequence's number and length; and whether every shifted read is inside the sequence. */
export interface Step {
  readonly t: Int;
  readonly b: Int;
  readonly length: Int;
  readonly inside: boolean;
}
/** How many steps back and ahead expressions read what isn't computed with them. */
export interface Reach {
  readonly past: number;
  readonly future: number;
}
export function reachOf(bodies: readonly Expr[], own: (def: DefinitionId) => boolean): Reach {
  let past = 0;
  let future = 0;
  for (const body of bodies) visitExpr(body, (e) => {
    if (e.kind !== 'read' || !e.time || own(e.def)) return;
    let low = e.time.constant;
    let high = e.time.constant;
    for (const { index, coefficient } of e.time.terms) {
      low += Math.min(0, coefficient * (index.axis.size - 1));
      high += Math.max(0, coefficient * (index.axis.size - 1));
    }
    past = Math.max(past, -low);
    future = Math.max(future, high);
  });
  return { past, future };
}

export class Rows extends Parameters {
  readonly layout: Layout;
  readonly lanes: number;
  /** It runs once, when weights are bound, in float64. */
  readonly load: boolean;
  readonly envs = new Envs();
  readonly w: Writer;
  step: Step | undefined;

  constructor(layout: Layout, lanes: number, load: boolean, written: Iterable<string>) {
    super();
    this.layout = layout;
    this.lanes = lanes;
    this.load = load;
    this.w = new Writer(written, ['$R', '$B', '$T', '$t0']);
  }
  /** The same value, its buffer taken for read. */
  touched(v: Value): Value {
    if (v.kind === 'load') this.touch(v.buffer, 'read');
    return v;
  }
  kernel(name: string): Kernel {
    return { name, precision: this.load ? 'f64' : 'f32', body: this.w.body, parameters: this.parameters((buffer) => this.#element(buffer)) };
  }
  #element(buffer: string): 'f32' | 'f64' | 'i32' {
    if (buffer === LENGTHS) return 'i32';
    return this.load && this.layout.buffers[this.layout.id(buffer)]?.kind === 'load' ? 'f64' : 'f32';
  }

  // --- loops ------------------------------------------------------------------------------------------------------------

  sequences(body: (b: Int, length: Int) => void): void {
    this.w.loop('b', int(0), this.scalar('B'), 1, { parallel: true }, (b) => {
      this.touch(LENGTHS, 'read');
      body(b, this.w.int('len', { kind: 'iload', buffer: LENGTHS, at: b }));
    });
  }
  /** Near the ends of a sequence shifted reads fall outside it: there they are guarded, elsewhere they are plain. */
  atStep(b: Int, t: Int, length: Int, reach: Reach, body: (env: Env) => void): void {
    const row = this.w.int('row', iadd(imul(b, this.scalar('T')), t));
    const run = (inside: boolean): void => {
      this.step = { t, b, length, inside };
      body(this.envs.root(row));
      this.step = undefined;
    };
    if (reach.past === 0 && reach.future === 0) { run(true); return; }
    const early = icompare('le', int(reach.past), t);
    const late = icompare('lt', t, iadd(length, int(-reach.future)));
    this.w.branch(iand(early, late), () => run(true), () => run(false));
  }

  // --- reads ------------------------------------------------------------------------------------------------------------

  read(e: ExprOf<'read'>, env: Env, shape: AccessShape, reach: Reach): Value {
    const storage = this.layout.of(e.def);
    if (storage.kind === 'load') return this.touched(this.load ? loadScratch(storage, e, env, this.lanes) : loadConstant(this.layout, e, env, shape));
    const row = storage.kind === 'batch' && this.step ? this.step.b : env.row;
    const { at, lane } = element(env, storage.strides, e.at, storage.offset);
    const last = (): Int => lastMember(env, this.lanes, e.at);
    if (isNow(e.time)) return this.touched(loadValue(storage.buffer, iadd(imul(row, storage.row), at), lane, last));
    return this.#shifted(e, env, reach, at, lane, last);
  }
  /** Another step: in this tile, before it (the kept past), or outside the sequence (0). */
  #shifted(e: ExprOf<'read'>, env: Env, reach: Reach, at: Int, lane: number, last: () => Int): Value {
    const storage = this.layout.of(e.def);
    const { step, w } = this;
    if (!step) throw new Error('a shifted read outside the loop over steps');
    const offset = affinePlace(env, e.time as Affine).int;
    const rows = (shift: Int): Value => this.touched(loadValue(storage.buffer, iadd(imul(shift, storage.row), at), lane, last));
    if (step.inside) return rows(iadd(env.row, offset));
    const time = w.int('when', iadd(step.t, offset));
    const within = imin(imax(time, int(0)), iadd(step.length, int(-1)));
    const now = w.let(rows(w.int('row', iadd(imul(step.b, this.scalar('T')), within))));
    const inside: Value = { kind: 'from-cond', cond: iand(icompare('le', int(0), time), icompare('lt', time, step.length)) };
    let before: Value = num(0);
    if (this.layout.phase(e.def) === 'step' && reach.past > 0) {
      const past = this.layout.history(e.def);
      if (past.depth > 0) {
        const slot = imin(imax(iadd(time, int(past.depth)), int(0)), int(past.depth - 1));
        const then = this.touched(loadValue(past.buffer, iadd(imul(iadd(imul(step.b, past.depth), slot), storage.row), at), lane, last));
        before = { kind: 'select', cond: { kind: 'from-cond', cond: icompare('lt', time, int(0)) }, then, else: num(0) };
      }
    }
    return { kind: 'select', cond: inside, then: now, else: w.let(before) };
  }

  // --- stores -----------------------------------------------------------------------------------------------------------

  /** Where an item's element is stored. */
  target(item: Item, env: Env): { readonly buffer: string; readonly at: Int; readonly lane: number } {
    const s = this.layout.of(item.def);
    let at: Int = s.kind === 'load' ? int(s.offset) : iadd(imul(env.row, s.row), int(s.offset));
    let lane = 0;
    item.indices.forEach((i, p) => {
      const place = placeOf(env, i);
      at = iadd(at, imul(place.int, s.strides[p] as number));
      if (place.lane) lane += s.strides[p] as number;
    });
    return { buffer: s.buffer, at, lane };
  }
  store(item: Item, value: Value, env: Env): void {
    const { buffer, at, lane } = this.target(item, env);
    this.touch(buffer, 'write');
    if (lane === 0) this.w.store(buffer, at, value, 'one');
    else if (lane === 1) this.w.store(buffer, at, value, 'vector');
    else this.#scatter(buffer, at, lane, value, item, env);
  }
  #scatter(buffer: string, at: Int, stride: number, value: Value, item: Item, env: Env): void {
    const laned = item.indices.find((i) => placeOf(env, i).lane) as Index;
    const kept = this.w.let(value);
    for (let l = 0; l < this.lanes; l++) {
      const cond = icompare('lt', iadd(placeOf(env, laned).int, int(l)), int(laned.axis.size));
      this.w.branch(cond, () => this.w.store(buffer, iadd(at, int(l * stride)), { kind: 'lane-of', arg: kept, lane: int(l) }, 'one'), () => undefined);
    }
  }
}
