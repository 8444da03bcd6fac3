/** One kernel as a CUDA C++ function. Registers are floats of the thread, masks bool, integers int; a buffer is a pointer of its own. */
import { isNarrow, type BufferParameter, type Cond, type Int, type Kernel, type LocalMemory, type Narrow, type Stmt, type Tiles, type Value } from '../../src/ir/kernel.js';
import { visitStmts } from '../../src/ir/map-kernel.js';
import { condText, intText, stmtText, symbols, type Statements } from '../texts.js';
import { isFunction, type CudaFunction } from './functions.js';

/** What a function needs of the source around it. */
export interface Printed {
  /** Equal for kernels that do the same, whatever their buffers are called. */
  readonly key: string;
  /** The function, with ENTRY where its name stands. */
  readonly text: string;
  readonly functions: ReadonlySet<CudaFunction>;
  readonly reductions: ReadonlySet<string>;
}
export const ENTRY = '$ENTRY$';

export function printEntry(kernel: Kernel): Printed {
  const printed = new Entry(kernel, (name) => identifier((name.split('.').at(-1) ?? name).replace(/#\d+/g, ''))).print();
  return { ...printed, key: new Entry(kernel, () => 'x').print().text };
}

class Entry {
  readonly #spelling: Statements = {
    variable: (name) => integerNames[name] ?? this.#names.get(name) ?? local(name),
    choose: (cond, then, otherwise) => `(${cond} ? ${then} : ${otherwise})`,
    element: (e) => this.#element(e.buffer, e.at),
    mask: (v) => this.#value(v),
    and: '&&', or: '||',
    local,
    value: (v) => bare(this.#value(v)),
    declare: (s) => (s.kind === 'for' ? 'int' : s.kind === 'int' ? 'const int' : `${s.kind === 'let' ? 'const ' : ''}${this.#type(s.name, s.value)}`),
    unroll: '#pragma unroll',
    comment: (text) => text.replace(/[\\?]/g, ' '),
    own: (s) => this.#own(s),
  };
  readonly #kernel: Kernel;
  readonly #functions = new Set<CudaFunction>();
  readonly #reductions = new Set<string>();
  /** Of buffers, memories and scalars. */
  readonly #names = new Map<string, string>();
  readonly #memories: ReadonlyMap<string, LocalMemory>;
  readonly #lanes: number;
  /** Buffers and memories of two bytes an element: the source sees their bits. */
  readonly #narrow: ReadonlyMap<string, Narrow>;
  /** Registers that hold masks. */
  readonly #masks = new Set<string>();

  constructor(kernel: Kernel, nameOf: (buffer: string) => string) {
    this.#kernel = kernel;
    this.#lanes = kernel.grid?.lanes ?? 1;
    this.#memories = new Map((kernel.memories ?? []).map((m) => [m.name, m]));
    this.#narrow = new Map([
      ...kernel.parameters.flatMap((p) => (p.kind === 'buffer' && isNarrow(p.element) ? [[p.name, p.element] as const] : [])),
      ...(kernel.memories ?? []).flatMap((m) => (m.element ? [[m.name, m.element] as const] : [])),
    ]);
    const taken = new Set<string>(['gid', 'bid', 'lid', 'lane']);
    visitStmts(kernel.body, (s) => { if ('name' in s) taken.add(local(s.name)); });
    const own = (name: string, wanted: string): void => {
      let made = reserved.has(wanted) ? `${wanted}_` : wanted;
      for (let k = 2; taken.has(made); k++) made = `${wanted}_${k}`;
      taken.add(made);
      this.#names.set(name, made);
    };
    for (const p of kernel.parameters) if (p.kind === 'scalar') own(p.name, local(p.name));
    for (const p of kernel.parameters) if (p.kind === 'buffer') own(p.name, nameOf(p.name));
    for (const m of kernel.memories ?? []) own(m.name, nameOf(m.name));
  }

  print(): Omit<Printed, 'key'> {
    const k = this.#kernel;
    const { threads = 1, batches = 1, resident = 1 } = k.grid ?? {};
    const body = k.body.flatMap((s) => stmtText(s, '  ', this.#spelling));
    const parameters = k.parameters.map((p) => {
      const name = this.#names.get(p.name);
      if (p.kind === 'scalar') return `int ${name}`;
      return `${p.access === 'read' ? 'const ' : ''}${p.element === 'i32' ? 'int' : isNarrow(p.element) ? 'unsigned short' : 'float'}* __restrict__ ${name}`;
    });
    const uses = (name: string): boolean => body.some((line) => new RegExp(`\\b${name}\\b`).test(line));
    const text = [
      `extern "C" __global__ void __launch_bounds__(${threads}, ${resident}) ${ENTRY}(${parameters.join(', ')}) {`,
      ...(uses('gid') ? ['  const int gid = blockIdx.x;'] : []),
      ...(batches === 'B' && uses('bid') ? ['  const int bid = blockIdx.y;'] : []),
      ...(uses('lid') ? ['  const int lid = threadIdx.x;'] : []),
      ...(uses('lane') ? [`  const int lane = threadIdx.x % 32 / ${32 / this.#lanes};`] : []),
      // Loads of neighbours become one where the compiler knows that they lie so.
      ...k.parameters.flatMap((p) => (p.kind === 'buffer' && p.element !== 'i32' ? [this.#aligned(p)] : [])),
      ...[...this.#memories.values()].map((m) => `  ${m.space === 'group' ? '__shared__ __align__(16) ' : ''}${m.element ? 'unsigned short' : 'float'} ${this.#names.get(m.name)}[${m.size}];`),
      ...body,
      '}',
    ].join('\n');
    return { text, functions: this.#functions, reductions: this.#reductions };
  }

  /** Buffers begin at multiples of four elements. */
  #aligned(p: BufferParameter): string {
    const [name, narrow] = [this.#names.get(p.name), isNarrow(p.element)];
    return `  ${name} = (${p.access === 'read' ? 'const ' : ''}${narrow ? 'unsigned short' : 'float'}*)__builtin_assume_aligned(${name}, ${narrow ? 8 : 16});`;
  }
  /** What is written in CUDA's own way, without what stands before each line. */
  #own(s: Parameters<Statements['own']>[0]): readonly string[] {
    switch (s.kind) {
      case 'store': return [this.#store(s)];
      case 'copy': return [this.#copy(s)];
      case 'multiply': return this.#multiply(s);
      case 'commit': return ['ssm_commit();'];
      case 'await': return [`ssm_await<${s.pending}>();`];
      case 'barrier': return ['__syncthreads();'];
    }
  }
  #copy(s: Extract<Stmt, { kind: 'copy' }>): string {
    const places = `&${this.#element(s.memory, s.at)}, &${this.#element(s.buffer, s.from)}`;
    if (!this.#narrow.has(s.memory)) return `ssm_copy_${s.width}(${places});`;
    const bytes = s.count ? `2 * ${this.#int(s.count)}` : `${2 * s.width}`;
    return `ssm_copy_part_${s.width / 2}(${places}, ${bytes});`;
  }
  /** A thread's address is that of a line of eight elements: of the first or the last eight of one of sixteen lines. */
  #multiply({ sums, row, column }: Extract<Stmt, { kind: 'multiply' }>): string[] {
    const type = this.#narrow.get(row.memory);
    const tiles = ({ memory, at, stride }: Tiles, name: string, load: string): string[] => at.map((place, k) => `  const ssm_tile ${name}${k} = ${load}(&${this.#element(memory, place, `lid % 16 * ${stride} + lid % 32 / 16 * 8`)});`);
    return [
      '{', ...tiles(row, 'ssm_x', 'ssm_load_tile'), ...tiles(column, 'ssm_y', 'ssm_load_turned'),
      ...sums.flatMap((line, i) => line.flatMap((registers, j) => [['a', 'b'], ['c', 'd']].map((half, k) => `  ssm_multiply_${type}(${[...registers.slice(4 * k, 4 * k + 4).map(local), `ssm_x${i}`, ...half.map((r) => `ssm_y${j}.${r}`)].join(', ')});`))),
      '}',
    ];
  }
  #type(name: string, value: Value): 'float' | 'bool' {
    if (!this.#isMask(value)) return 'float';
    this.#masks.add(name);
    return 'bool';
  }
  #isMask(v: Value): boolean {
    switch (v.kind) {
      case 'from-cond': return true;
      case 'reg': return this.#masks.has(v.name);
      case 'unary': return v.op === 'not';
      case 'binary': return comparisons.has(v.op);
      case 'select': return this.#isMask(v.then);
      default: return false;
    }
  }
  #store(s: Extract<Stmt, { kind: 'store' }>): string {
    if (s.second) throw new Error(`${this.#kernel.name}: elements of ${s.buffer} are written one at a time`);
    const narrow = this.#narrow.get(s.buffer);
    const value = narrow ? `ssm_to_${narrow}(${bare(this.#value(s.value))})` : bare(this.#value(s.value));
    const lane = this.#laneName;
    if (this.#lanes === 1 || this.#memories.has(s.buffer)) return `${this.#element(s.buffer, s.at)} = ${value};`;
    if (s.lanes === 'one') return `if (${lane} == 0) ${this.#element(s.buffer, s.at)} = ${value};`;
    if (s.lanes === 'vector') return `${this.#element(s.buffer, s.at, lane)} = ${value};`;
    const { stride = 1, count } = s.lanes;
    const write = `${this.#element(s.buffer, s.at, stride === 1 ? lane : `${lane} * ${stride}`)} = ${value};`;
    return count.kind === 'int' && count.value >= this.#lanes ? write : `if (${lane} < ${this.#int(count)}) ${write}`;
  }
  get #laneName(): string {
    return this.#lanes === (this.#kernel.grid?.threads ?? 1) ? 'lid' : 'lane';
  }
  #element(buffer: string, at: Int, more?: string): string {
    return `${this.#names.get(buffer)}[${bare(this.#int(at))}${more === undefined ? '' : ` + ${more}`}]`;
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
        const narrow = this.#narrow.get(v.buffer);
        return narrow ? `ssm_from_${narrow}(${this.#load(v)})` : this.#load(v);
      }
      case 'unary': return this.#unary(v);
      case 'binary': return this.#binary(v);
      case 'select': return `(${go(v.cond)} ? ${go(v.then)} : ${go(v.else)})`;
      case 'muladd': return `__fmaf_rn(${bare(go(v.left))}, ${bare(go(v.right))}, ${bare(go(v.plus))})`;
      case 'decay': {
        this.#functions.add('decay');
        return `ssm_decay(${bare(go(v.exponent))}, ${bare(go(v.state))}, ${bare(go(v.plus))})`;
      }
      case 'lane': return `(float)${this.#laneName}`;
      case 'from-int': return `(float)${this.#int(v.value)}`;
      case 'from-cond': return `(${this.#cond(v.cond)})`;
      case 'reduce-lanes': {
        const name = `${v.op}_${this.#lanes}`;
        this.#reductions.add(name);
        return `ssm_reduce_${name}(${bare(go(v.arg))})`;
      }
      case 'lane-of': throw new Error('lane-of has no CUDA form');
    }
  }
  #load(v: Extract<Value, { kind: 'load' }>): string {
    if (v.access === 'uniform' || this.#lanes === 1) return this.#element(v.buffer, v.at);
    const lane = this.#laneName;
    if (v.access === 'vector') return this.#element(v.buffer, v.at, lane);
    const { stride, last } = v.access;
    return this.#element(v.buffer, v.at, `${this.#int(stride)} * ${last.kind === 'int' && last.value >= this.#lanes - 1 ? lane : `min(${lane}, ${this.#int(last)})`}`);
  }
  #unary(v: Extract<Value, { kind: 'unary' }>): string {
    const arg = this.#value(v.arg);
    switch (v.op) {
      case 'neg': return `(-${arg})`;
      case 'not': return `(!${arg})`;
      case 'abs': case 'sqrt': case 'floor': case 'ceil': return `${v.op === 'abs' ? 'fabs' : v.op}f(${bare(arg)})`;
      default:
        if (!isFunction(v.op)) throw new Error(`${v.op} has no CUDA form`);
        this.#functions.add(v.op);
        return `ssm_${v.op}(${bare(arg)})`;
    }
  }
  #binary(v: Extract<Value, { kind: 'binary' }>): string {
    const [x, y] = [this.#value(v.left), this.#value(v.right)];
    if (v.op === 'min' || v.op === 'max') return `ssm_${v.op}(${bare(x)}, ${bare(y)})`;
    return `(${x} ${symbols[v.op]} ${y})`;
  }
}

const comparisons: ReadonlySet<string> = new Set(['lt', 'le', 'eq', 'ne', 'and', 'or']);
const integerNames: Readonly<Record<string, string>> = { $l: 'lid', $g: 'gid', $b: 'bid' };
/** Without the parentheses around all of it. */
function bare(text: string): string {
  if (!text.startsWith('(') || !text.endsWith(')')) return text;
  let depth = 0;
  for (let k = 0; k < text.length; k++) {
    if (text[k] === '(') depth++;
    else if (text[k] === ')') depth--;
    if (depth === 0 && k < text.length - 1) return text;
  }
  return text.slice(1, -1);
}
/** A float32 literal; of infinity and NaN there is none. */
function float(value: number): string {
  const x = Math.fround(value);
  if (x === Infinity) return '__int_as_float(0x7f800000)';
  if (x === -Infinity) return '(-__int_as_float(0x7f800000))';
  if (Number.isNaN(x)) return '__int_as_float(0x7fffffff)';
  const text = Object.is(x, -0) ? '-0' : `${x}`;
  const typed = `${text}${/[.e]/.test(text) ? '' : '.0'}f`;
  return typed.startsWith('-') ? `(${typed})` : typed;
}
/** Words of C++, and names that the source uses itself. */
const reserved = new Set(`
  alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const consteval constexpr constinit continue decltype default delete do
  double dynamic_cast else enum explicit export extern false final float for friend goto if import inline int long module mutable namespace new noexcept not not_eq
  nullptr operator or or_eq override private protected public register reinterpret_cast requires return short signed sizeof static static_assert static_cast struct
  switch template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq
  min max fabsf sqrtf floorf ceilf rintf blockIdx threadIdx blockDim gridDim warpSize gid bid lid lane NULL linux unix parts`.trim().split(/\s+/));
function local(name: string): string {
  const made = identifier(name);
  return reserved.has(made) ? `${made}_` : made;
}
/** Letters, digits and _; none of the names that begin with `ssm_`, or with two underlines, which are the compiler's. */
export function identifier(name: string): string {
  const made = name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^_+/, '').replace(/^(?=\d)/, 'x').replace(/^ssm_/i, 'x_ssm_');
  return made === '' ? 'x' : made;
}
