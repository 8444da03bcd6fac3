/** Text of a random spec in the making: names that are new, axes, parameters, and the arrays that later equations may read. */
import type { Random } from '../../src/interpreter/random.js';

/** An array of the model: [t?, m?, axes...]. `size` is a rough bound of its values. */
export interface Value {
  readonly name: string;
  readonly time: boolean;
  readonly modal: boolean;
  readonly axes: readonly string[];
  readonly size: number;
}

export class Writer {
  readonly features = new Set<string>();
  readonly declarations: string[] = [];
  readonly lines: string[] = [];
  readonly values: Value[] = [];
  readonly sizes = new Map<string, number>();
  readonly blocks: string[] = [];
  readonly imports = new Set<string>();
  equations = 0;
  outputs = 0;
  #names = 0;

  constructor(readonly random: Random, readonly members: readonly string[]) {}

  chance(probability: number): boolean {
    return this.random.uniform() < probability;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.random.integer(0, from.length - 1)] as T;
  }
  /** A number between, with two digits after the point. */
  number(low: number, high: number): string {
    return (low + (high - low) * this.random.uniform()).toFixed(2);
  }
  name(stem: string): string {
    return `${stem}${++this.#names}`;
  }
  note(feature: string): void {
    this.features.add(feature);
  }

  /** A new axis of a small size, mostly not a multiple of 4. */
  axis(stem: string, largest = 9): string {
    const name = this.name(stem);
    const size = this.chance(0.1) ? Math.min(4, largest) : this.random.integer(1, largest);
    this.sizes.set(name, size);
    this.declarations.push(`axis ${name} = ${size}`);
    return name;
  }
  /** A second index over the axis. */
  second(axis: string): string {
    const name = this.name('i');
    this.sizes.set(name, this.size(axis));
    this.declarations.push(`axis ${name} = ${axis}`);
    return name;
  }
  size(axis: string): number {
    const known = axis === 'm' ? this.members.length : this.sizes.get(axis);
    if (known === undefined) throw new Error(`no axis ${axis}`);
    return known;
  }
  /** A new parameter, uniform between the bounds; the text that reads it. */
  param(axes: readonly string[], low: number, high: number): string {
    const name = this.name('w');
    this.lines.push(`param ${name}${list(axes)} = uniform(${low}, ${high})`);
    return `${name}${list(axes)}`;
  }
  /** Weights of a contraction over `over`, so that values keep their size. */
  weights(axes: readonly string[], over: string): string {
    const bound = Number((1.2 / Math.sqrt(this.size(over))).toFixed(2));
    return this.param(axes, -bound, bound);
  }
  /** The modality index where the array has it and the parameter is to have it too. */
  perhapsModal(v: Value): readonly string[] {
    const own = v.modal && this.chance(0.7);
    if (own) this.note('modal-param');
    return own ? ['m'] : [];
  }

  indices(v: Pick<Value, 'time' | 'modal' | 'axes'>): string[] {
    return [...(v.time ? ['t'] : []), ...(v.modal ? ['m'] : []), ...v.axes];
  }
  /** `x[t, m, d]`, time and axes replaced where asked. */
  read(v: Value, replace: Readonly<Record<string, string>> = {}): string {
    return `${v.name}${list(this.indices(v).map((i) => replace[i] ?? i))}`;
  }
  define(shape: Omit<Value, 'name' | 'size'>, text: string, size: number, stem = 'v'): Value {
    const value = { ...shape, name: this.name(stem), size };
    this.lines.push(`${value.name}${list(this.indices(value))} = ${text}`);
    this.equations++;
    this.values.push(value);
    return value;
  }
  output(v: Value): void {
    this.lines.push(`output out${++this.outputs}${list(this.indices(v))} = ${this.read(v)}`);
    this.equations++;
  }

  /** Any array with time and one axis, values of moderate size. */
  source(): Value {
    const found = this.pick(this.values.filter((v) => v.time && v.axes.length === 1));
    return this.tame(found);
  }
  tame(v: Value): Value {
    return v.size <= 8 ? v : this.define(v, this.pick([`tanh(${this.read(v)})`, `${this.read(v)} / ${v.size.toFixed(1)}`]), 1);
  }
  /** The array projected onto the axis. */
  project(v: Value, axis: string, stem = 'p'): Value {
    const [from] = v.axes as [string];
    const weights = this.weights([...this.perhapsModal(v), axis, from], from);
    return this.define({ ...v, axes: [axis] }, `sum(${from}: ${weights} * ${this.read(v)})`, v.size * 1.5, stem);
  }

  text(): string {
    const imports = this.imports.size > 0 ? `import ${[...this.imports].join(', ')} from "std"\n\n` : '';
    const body = [...this.declarations, ...this.lines].map((line) => `  ${line.replaceAll('\n', '\n  ')}`);
    return `${imports}${this.blocks.join('\n')}model Random {\n${body.join('\n')}\n}\n`;
  }
}
export const list = (indices: readonly string[]): string => (indices.length === 0 ? '' : `[${indices.join(', ')}]`);
