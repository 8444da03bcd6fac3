/** What a command is: its options, its help, and its work. */
import { parseArgs } from 'node:util';
import type { Narrow } from '../ir/kernel.js';
import type { Io } from './io.js';
import { UsageError } from './io.js';

export interface Option {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly multiple?: boolean;
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly help: string;
  /** The values it may have. */
  readonly choices?: readonly string[];
}
export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly help: string;
  readonly options: Readonly<Record<string, Option>>;
  /** The exit code. */
  readonly run: (args: Arguments, io: Io) => Promise<number> | number;
}
export class Arguments {
  readonly positionals: readonly string[];
  readonly #values: Readonly<Record<string, unknown>>;
  constructor(positionals: readonly string[], values: Readonly<Record<string, unknown>>) {
    this.positionals = positionals;
    this.#values = values;
  }
  text(name: string): string | undefined {
    const v = this.#values[name];
    return typeof v === 'string' ? v : undefined;
  }
  texts(name: string): readonly string[] {
    const v = this.#values[name];
    return Array.isArray(v) ? (v as string[]) : [];
  }
  flag(name: string): boolean {
    return this.#values[name] === true;
  }
  /** A whole number from `least`. */
  count(name: string, fallback: number, least = 1): number {
    const v = this.text(name);
    if (v === undefined) return fallback;
    const n = Number(v);
    if (!Number.isInteger(n) || n < least) throw new UsageError(`--${name} takes a whole number from ${least}, not \`${v}\``);
    return n;
  }
  none(): void {
    if (this.positionals.length > 0) throw new UsageError(`it takes no arguments, got \`${this.positionals.join(' ')}\``);
  }
  spec(): string {
    const [spec, ...more] = this.positionals;
    if (spec === undefined) throw new UsageError('which spec?');
    if (more.length > 0) throw new UsageError(`one spec, not ${this.positionals.length}`);
    return spec;
  }
}

export function parseCommand(command: Command, argv: readonly string[], nearest: (name: string, among: Iterable<string>) => string | undefined): Arguments {
  const options = Object.fromEntries(Object.entries(command.options).map(([k, o]) => [k, { type: o.type, ...(o.short ? { short: o.short } : {}), ...(o.multiple ? { multiple: true } : {}) }]));
  const flags = argv.filter((a) => a.startsWith('--')).map((a) => a.slice(2).split('=')[0] as string);
  for (const f of flags) {
    if (f === '' || f in command.options) continue;
    const near = nearest(f, Object.keys(command.options));
    throw new UsageError(`\`ssmc ${command.name}\` has no option --${f}${near === undefined ? '' : `; did you mean --${near}?`}`);
  }
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    for (const [k, o] of Object.entries(command.options)) {
      const v = values[k];
      if (o.choices && typeof v === 'string' && !o.choices.includes(v)) throw new UsageError(`--${k} is one of ${o.choices.join(', ')}, not \`${v}\``);
    }
    return new Arguments(positionals, values);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(error instanceof Error ? (error.message.split(/\.\s/)[0] as string) : String(error));
  }
}
export function helpText(c: Command): string {
  const rows = Object.entries(c.options).map(([k, o]) => [`${o.short ? `-${o.short}, ` : ''}--${k}${o.type === 'string' ? ` ${o.value ?? 'VALUE'}` : ''}`, o.help] as const);
  const wide = Math.max(...rows.map(([l]) => l.length));
  return [`ssmc ${c.usage}`, '', c.help, '', ...rows.map(([l, r]) => `  ${l.padEnd(wide)}  ${r}`), ''].join('\n');
}
export const json: Option = { type: 'boolean', help: 'machine-readable, on standard output' };
export const weights: Option = { type: 'string', value: 'FILE', help: 'safetensors file of the parameters, or the index of one in parts: sharpens the stability bounds' };
export const help: Option = { type: 'boolean', short: 'h', help: 'this text' };
export const model: Option = { type: 'string', value: 'NAME', help: 'which model, where the file has several' };
export const strategy: Option = { type: 'string', value: 'NAME', help: 'auto (default), serial, chunked, convolution or step', choices: ['auto', 'serial', 'chunked', 'convolution', 'step'] };
export const storage: Option = { type: 'string', value: 'TYPE', help: 'what kernels for WebGPU and CUDA store activations and constants as: f32 (default), f16 or bf16', choices: ['f32', 'f16', 'bf16'] };
/** What takes two bytes, where it is asked for. */
export function storedOf(args: Arguments): Narrow | undefined {
  const type = args.text('storage');
  return type === 'f16' || type === 'bf16' ? type : undefined;
}
export const deny: Option = { type: 'string', value: 'unstable', help: 'make a recurrence that may grow an error', choices: ['unstable'] };
