/** One kernel as a WGSL entry point. Registers are f32 of the invocation, masks are bool, integers i32. */
import { isNarrow, type Cond, type Int, type Kernel, type Narrow, type Stmt, type Value } from '../../src/ir/kernel.js';
import { isEven } from '../../src/ir/parity.js';
import { FOLD } from '../../src/runtime/webgpu/gpu.js';
import { condText, intText, stmtText, symbols, type Statements } from '../texts.js';
import { isFunction, type WgslFunction } from './functions.js';
import { loadName, nextName, storeName, type HalfHelper } from './halves.js';
import { reductionName, type Reduction } from './reductions.js';

/** What an entry point needs of the module around it. */
export interface Printed {
  /** Equal for kernels that do the same, whatever their buffers are called. */
  readonly key: string;
  /** The entry point and its own module-scope variables, with ENTRY where its name stands. */
  readonly text: string;
  readonly functions: ReadonlySet<WgslFunction>;
  readonly reductions: ReadonlyMap<string, Reduction>;
  /** By their names. */
  readonly halves: ReadonlyMap<string, HalfHelper>;
  /** The arenas that it binds, in the order of their bindings from 2 on. */
  readonly arenas: readonly number[];
  readonly lengths: boolean;
}
export const ENTRY = '$ENTRY$';
/** Fields that every parameter block begins with. */
export const HEAD = ['B', 'T', 'R', 'groups'] as const;

export function printEntry(kernel: Kernel, arenaOf: (buffer: string) => number): Printed {
  const printed = new Entry(kernel, arenaOf, (name) => identifier((name.split('.').at(-1) ?? name).replace(/#\d+/g, ''))).print();
  return { ...printed, key: new Entry(kernel, arenaOf, () => 'x').print().text };
}

class Entry {
  readonly #spelling: Statements = {
    variable: (name) => integerNames[name] ?? local(name),
    choose: (cond, then, otherwise) => `select(${otherwise}, ${then}, ${cond})`,
    element: (e) => `lengths[${this.#int(e.at)}]`,
    mask: (v) => this.#value(v),
    ...eager,
    local,
    value: (v) => this.#value(v),
    declare: (s) => (s.kind === 'for' || s.kind === 'var' ? 'var' : 'let'),
    comment: (text) => text,
    own: (s) => this.#own(s),
  };
  readonly #kernel: Kernel;
  readonly #functions = new Set<WgslFunction>();
  readonly #reductions = new Map<string, Reduction>();
  readonly #halves = new Map<string, HalfHelper>();
  /** Buffers whose elements share words. */
  readonly #packed = new Map<string, Narrow>();
  readonly #even: (e: Int) => boolean;
  readonly #arenas = new Map<number, 'read' | 'read_write'>();
  readonly #arenaOf: (buffer: string) => number;
  /** The name of a buffer's offset among the parameters. */
  readonly #fields = new Map<string, string>();
  readonly #memories = new Map<string, string>();
  readonly #lanes: number;
  readonly #threads: number;
  /** A thread's number among those of its point. */
  readonly #lane: 'lid' | 'lane';

  constructor(kernel: Kernel, arenaOf: (buffer: string) => number, nameOf: (buffer: string) => string) {
    this.#kernel = kernel;
    this.#arenaOf = arenaOf;
    this.#lanes = kernel.grid?.lanes ?? 1;
    this.#threads = kernel.grid?.threads ?? 1;
    this.#lane = this.#lanes === 1 || this.#lanes === this.#threads ? 'lid' : 'lane';
    if (this.#lane === 'lane' && !kernel.grid?.neighbours) throw new Error(`${kernel.name}: threads that share a point have to be neighbours`);
    this.#even = isEven(kernel);
    const taken = new Set<string>([...HEAD, 'infinity']);
    const own = (name: string): string => {
      const base = nameOf(name);
      let made = base;
      for (let k = 2; taken.has(made); k++) made = `${base}_${k}`;
      taken.add(made);
      return made;
    };
    for (const p of kernel.parameters) if (p.kind === 'buffer' && p.element !== 'i32') {
      if (isNarrow(p.element)) this.#packed.set(p.name, p.element);
      this.#fields.set(p.name, own(p.name));
      const arena = arenaOf(p.name);
      if (p.access !== 'read' || !this.#arenas.has(arena)) this.#arenas.set(arena, p.access === 'read' ? 'read' : 'read_write');
    }
    for (const m of kernel.memories ?? []) this.#memories.set(m.name, own(m.name));
  }

  print(): Omit<Printed, 'key'> {
    const k = this.#kernel;
    const body = k.body.flatMap((s) => stmtText(s, '  ', this.#spelling));
    const memories = k.memories ?? [];
    const lengths = k.parameters.some((p) => p.kind === 'buffer' && p.element === 'i32');
    const text = [
      `struct ${ENTRY}_parameters { ${[...HEAD.map((f) => `${f}: i32`), 'infinity: f32', ...[...this.#fields.values()].map((f) => `${f}: i32`)].join(', ')} }`,
      `@group(0) @binding(0) var<uniform> ${ENTRY}_p: ${ENTRY}_parameters;`,
      ...memories.filter((m) => m.space === 'group').map((m) => `var<workgroup> ${ENTRY}_${this.#memories.get(m.name)}: array<f32, ${m.size}>;`),
      `@compute @workgroup_size(${this.#threads})`,
      `fn ${ENTRY}(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {`,
      `  let gid = i32(group.x + group.y * ${FOLD}u);`,
      `  if (gid >= ${ENTRY}_p.groups) { return; }`,
      '  let bid = i32(group.z);',
      '  let lid = i32(thread);',
      ...(this.#lane === 'lane' ? [`  let lane = lid % ${this.#lanes};`] : []),
      ...memories.filter((m) => m.space === 'thread').map((m) => `  var ${this.#memories.get(m.name)}: array<f32, ${m.size}>;`),
      ...body,
      '}',
    ].join('\n');
    return { text, functions: this.#functions, reductions: this.#reductions, halves: this.#halves, arenas: [...this.#arenas.keys()], lengths };
  }

  /** What is written in WGSL's own way, without what stands before each line. */
  #own(s: Parameters<Statements['own']>[0]): readonly string[] {
    switch (s.kind) {
      case 'store': return this.#store(s);
      case 'copy': case 'commit': case 'await': throw new Error('copies that nothing waits for have no WGSL form');
      case 'multiply': throw new Error('products of tiles have no WGSL form');
      case 'barrier': return ['workgroupBarrier();'];
    }
  }
  #store(s: Extract<Stmt, { kind: 'store' }>): string[] {
    if (this.#packed.has(s.buffer)) return this.#storeHalves(s);
    const value = this.#value(s.value);
    const to = (more?: string): string => `${this.#element(s.buffer, s.at, more)} = ${value};`;
    if (this.#lanes === 1) return [this.#guarded(to(), [], s)];
    if (s.lanes === 'one') return [this.#guarded(to(), [`${this.#lane} == 0`], s)];
    if (s.lanes === 'vector') return [this.#guarded(to(this.#lane), [], s)];
    const { stride = 1, count } = s.lanes;
    return [this.#guarded(to(stride === 1 ? this.#lane : `${this.#lane} * ${stride}`), this.#among(count), s)];
  }
  /** What is written where these conditions hold, and by threads that write. */
  #guarded(write: string, conditions: readonly string[], { where }: Extract<Stmt, { kind: 'store' }>): string {
    const all = [...conditions, ...(where ? [this.#cond(where)] : [])];
    return all.length === 0 ? write : `if (${all.join(' && ')}) { ${write} }`;
  }
  /** This lane is one of the first `count`. */
  #among(count: Int): string[] {
    return count.kind === 'int' && count.value >= this.#lanes ? [] : [`${this.#lane} < ${this.#int(count)}`];
  }
  /** Both halves of a word by one thread: another writing one of them would undo it. */
  #storeHalves(s: Extract<Stmt, { kind: 'store' }>): string[] {
    if (!this.#even(s.at)) throw new Error(`${this.#kernel.name}: a pair of ${s.buffer} may begin in the middle of a word`);
    const { binding, place } = this.#place(s.buffer, s.at);
    const element = this.#packed.get(s.buffer) as Narrow;
    const store = storeName(binding, element);
    this.#halves.set(store, { kind: 'store', element, binding, access: 'read_write' });
    if (s.second) {
      const write = `${store}(${place}, ${this.#value(s.value)}, ${this.#value(s.second)});`;
      return [this.#guarded(write, this.#lanes === 1 ? [] : [`${this.#lane} == 0`], s)];
    }
    const count = typeof s.lanes === 'object' ? s.lanes.count : undefined;
    if (this.#lanes === 1 || s.lanes === 'one' || (typeof s.lanes === 'object' && (s.lanes.stride ?? 1) !== 1)) throw new Error(`${this.#kernel.name}: threads would share a word of ${s.buffer}`);
    const next = nextName(this.#threads);
    this.#halves.set(next, { kind: 'next', threads: this.#threads });
    return [
      `{`, `  let half_a = ${this.#value(s.value)};`, `  let half_b = ${next}(half_a, lid);`,
      `  ${this.#guarded(`${store}(${place} + ${this.#lane}, half_a, half_b);`, [`(${this.#lane} & 1) == 0`, ...(count ? this.#among(count) : [])], s)}`, `}`,
    ];
  }
  #place(buffer: string, at: Int, more?: string): { readonly binding: number; readonly access: 'read' | 'read_write'; readonly place: string } {
    const arena = this.#arenaOf(buffer);
    return {
      binding: [...this.#arenas.keys()].indexOf(arena), access: this.#arenas.get(arena) ?? 'read',
      place: `${ENTRY}_p.${this.#fields.get(buffer)} + ${this.#int(at)}${more === undefined ? '' : ` + ${more}`}`,
    };
  }
  #element(buffer: string, at: Int, more?: string): string {
    const memory = this.#memories.get(buffer);
    if (memory !== undefined) {
      const index = `${this.#int(at)}${more === undefined ? '' : ` + ${more}`}`;
      const group = this.#kernel.memories?.some((m) => m.name === buffer && m.space === 'group');
      return `${group ? `${ENTRY}_` : ''}${memory}[${index}]`;
    }
    const { binding, access, place } = this.#place(buffer, at, more);
    const element = this.#packed.get(buffer);
    if (!element) return `${dataName(binding, access)}[${place}]`;
    const load = loadName(binding, access, element);
    this.#halves.set(load, { kind: 'load', element, binding, access });
    return `${load}(${place})`;
  }
  #int(e: Int): string {
    return intText(e, this.#spelling);
  }
  #cond(c: Cond): string {
    return condText(c, this.#spelling);
  }
  #value(v: Value): string {
    const go = (x: Value): string => this.#value(x);
    switch (v.kind) {
      case 'number': return float(v.value);
      case 'reg': return local(v.name);
      case 'load': {
        if (v.access === 'uniform' || this.#lanes === 1) return this.#element(v.buffer, v.at);
        if (v.access === 'vector') return this.#element(v.buffer, v.at, this.#lane);
        return this.#element(v.buffer, v.at, `${this.#int(v.access.stride)} * min(${this.#lane}, ${this.#int(v.access.last)})`);
      }
      case 'unary': return this.#unary(v);
      case 'binary': return this.#binary(v);
      case 'select': return `select(${go(v.else)}, ${go(v.then)}, ${go(v.cond)})`;
      case 'muladd': return `(${go(v.left)} * ${go(v.right)} + ${go(v.plus)})`;
      case 'decay': {
        this.#functions.add('decay');
        return `ssm_decay(${go(v.exponent)}, ${go(v.state)}, ${go(v.plus)})`;
      }
      case 'lane': return `f32(${this.#lane})`;
      case 'from-int': return `f32(${this.#int(v.value)})`;
      case 'from-cond': return `(${this.#cond(v.cond)})`;
      case 'reduce-lanes': {
        const name = reductionName({ op: v.op, lanes: this.#lanes, threads: this.#threads });
        this.#reductions.set(name, { op: v.op, lanes: this.#lanes, threads: this.#threads });
        return `${name}(${go(v.arg)}, lid)`;
      }
      case 'lane-of': throw new Error('lane-of has no WGSL form');
    }
  }
  #unary(v: Extract<Value, { kind: 'unary' }>): string {
    const arg = this.#value(v.arg);
    switch (v.op) {
      case 'neg': return `(-${arg})`;
      case 'not': return `(!${arg})`;
      case 'abs': case 'sqrt': case 'floor': case 'ceil': return `${v.op}(${arg})`;
      default:
        if (!isFunction(v.op)) throw new Error(`${v.op} has no WGSL form`);
        this.#functions.add(v.op);
        return `ssm_${v.op}(${arg})`;
    }
  }
  #binary(v: Extract<Value, { kind: 'binary' }>): string {
    const [x, y] = [this.#value(v.left), this.#value(v.right)];
    if (v.op === 'min' || v.op === 'max') return `${v.op}(${x}, ${y})`;
    return `(${x} ${v.op === 'and' || v.op === 'or' ? eager[v.op] : symbols[v.op]} ${y})`;
  }
}
/** `&&` and `||` are branches: 128 of them in one loop took SwiftShader minutes and 15 GB to compile, and a second without. */
const eager = { and: '&', or: '|' } as const;

const integerNames: Readonly<Record<string, string>> = { $l: 'lid', $g: 'gid', $b: 'bid', $B: `${ENTRY}_p.B`, $T: `${ENTRY}_p.T`, $R: `${ENTRY}_p.R` };
/** The module's variable for the n-th arena of an entry point: which one that is differs from launch to launch. */
export const dataName = (binding: number, access: 'read' | 'read_write'): string => `data${binding}${access === 'read' ? '' : '_w'}`;

/** A float32 literal; infinity is a parameter, since a constant of it does not compile. */
function float(value: number): string {
  const x = Math.fround(value);
  if (x === Infinity) return `${ENTRY}_p.infinity`;
  if (x === -Infinity) return `(-${ENTRY}_p.infinity)`;
  if (Number.isNaN(x)) return `(${ENTRY}_p.infinity - ${ENTRY}_p.infinity)`;
  const text = Object.is(x, -0) ? '-0' : `${x}`;
  return text.startsWith('-') ? `(${text}f)` : `${text}f`;
}
const types = /^[iuf](8|16|32|64)$|^(vec|mat)\d|^bool$/;
function local(name: string): string {
  const made = identifier(name);
  return types.test(made) ? `${made}_` : made;
}
function identifier(name: string): string {
  const made = name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^_+/, '').replace(/^(?=\d)/, 'x');
  return made === '' ? 'x' : made;
}
