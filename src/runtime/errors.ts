/**
 * Every error that a compiled model can give its user. A code never changes its meaning: 50xx weights, 51xx inputs, 52xx loading,
 * 53xx streams, 54xx what has been disposed of, 55xx devices. Each message says what was expected and what came; {name} stands for an
 * argument. SSM stands before the number in what users see. Those of a GPU are in src/runtime/gpu/errors.ts.
 */
import type { GpuCode } from './gpu/errors.js';

export const runtimeMessages = {
  5001: 'cannot read weights from {from}: {why}',
  5002: 'not a safetensors file: {why}',
  5003: 'safetensors: tensor `{name}`: {why}',
  5004: 'the weights do not fit the model: {problems}',
  5005: 'weight `{name}` must lie in [{low}, {high}] by a fact of the spec, but element {index} is {value}',
  5006: 'tensor `{name}`: expected {want}, got {got}',
  5007: 'there is no tensor `{name}`{near}',
  5008: '`{name}` is singular: it has no inverse',
  5101: 'missing input {missing}{near}',
  5102: 'there is no input `{name}`{near} (inputs: {known})',
  5103: 'input `{name}`: expected a Float32Array or { data: Float32Array, shape }, got {got}',
  5104: 'input `{name}`: expected shape {want}, got {got}',
  5105: 'input `{name}`: expected {want}, got {got}',
  5106: 'inputs disagree: `{name}` has {what} {got}, {other} has {want}',
  5107: 'input `{name}`: {what} is 0, expected at least 1',
  5108: 'lengths: {why}',
  5109: 'input `{name}` is {value} at [{at}], and `finite` was asked for',
  5110: '{what}: {got}, over the limit of {limit}',
  5201: 'cannot read kernels from {from}: {why}',
  5202: 'the WebAssembly module cannot be used here: {why}',
  5203: 'the manifest does not fit this runtime: {why}',
  5204: 'device `{device}` is not compiled into this module; it has {known}',
  5205: 'the model needs {bytes} bytes of memory: {why}',
  5206: 'option `{option}`: expected {want}, got {got}',
  5301: 'this model cannot be streamed: {why}',
  5302: 'not a saved stream: {why}',
  5303: 'the saved stream is damaged: {why}',
  5304: 'the stream was saved by another model: expected {want}, got {got}',
  5305: 'the stream was saved with batch {got}, this one has batch {want}',
  5401: 'the {what} has been disposed of',
} as const;
type Code = keyof typeof runtimeMessages;
/** As users see it. */
export type RuntimeCode = `SSM${Code | GpuCode}`;
/** The arguments that a message names. */
type Named<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}` ? (Name extends `${string} ${string}` ? never : Name) | Named<Rest> : never;
type Argument = string | number | readonly (string | number)[];
export type Arguments<Text extends string> = { readonly [Name in Named<Text>]: Argument };

/** What every error of the runtime is: an Error with a stable code. */
export class SsmcError extends Error {
  readonly code: RuntimeCode;
  constructor(code: RuntimeCode, text: string, options?: { readonly cause?: unknown }) {
    super(`${code}: ${text}`, options);
    this.code = code;
  }
  // By the code, so that a minifier that renames classes doesn't rename errors.
  override get name(): string {
    return `${names[Number(this.code[4])]}Error`;
  }
}
const names = ['Weights', 'Input', 'Load', 'Stream', 'Disposed', 'Device'];
/** The weights can't be read, or don't fit. */
export class WeightsError extends SsmcError {}
/** What `run` or `push` was given doesn't fit. */
export class InputError extends SsmcError {}
/** The module can't be loaded here. */
export class LoadError extends SsmcError {}
/** A stream can't be made or restored. */
export class StreamError extends SsmcError {}
/** A model or stream was used after `dispose`. */
export class DisposedError extends SsmcError {}
/** A device failed while it ran. */
export class DeviceError extends SsmcError {}

/** The error of this code, to be thrown. */
export function failure<C extends Code>(code: C, args: Arguments<(typeof runtimeMessages)[C]>, cause?: unknown): SsmcError {
  return worded(code, runtimeMessages[code], args, cause);
}
export function worded(code: Code | GpuCode, message: string, args: Readonly<Record<string, Argument>>, cause: unknown): SsmcError {
  const kind = [WeightsError, InputError, LoadError, StreamError, DisposedError, DeviceError][Math.floor(code / 100) % 10] as typeof SsmcError;
  const text = message.replace(/\{(\w+)\}/g, (_, name: string) => [args[name]].flat().join(', '));
  return new kind(`SSM${code}`, text, cause ? { cause } : undefined);
}

/** Why something failed, in words. */
export const reason = (error: unknown): string => String((error as Partial<Error> | null | undefined)?.message ?? error);

/** What a value is, for a message. */
export const describe = (value: unknown): string => (typeof value === 'number' ? `the number ${value}` : kindOf(value));
/** Float32Array, Object, Null, …: the same in every realm. */
export const kindOf = (value: unknown): string => ({}).toString.call(value).slice(8, -1);

export const shapeText = (shape: unknown): string => (Array.isArray(shape) ? `[${shape.join(', ')}]` : describe(shape));

/** "; nearest: `name`" for the known name that takes the fewest edits (Levenshtein's distance), or '' where none comes near. */
export function nearest(name: string, known: Iterable<string>): string {
  let best = Math.max(2, name.length >> 1) + 1;
  let found = '';
  for (const candidate of known) {
    let row = [...Array(candidate.length + 1).keys()];
    for (let i = 1; i <= name.length; i++) {
      let left = i;
      row = row.map((up, j) => (left = j ? Math.min((row[j - 1] as number) + Number(name[i - 1] !== candidate[j - 1]), up + 1, left + 1) : i));
    }
    const distance = row[candidate.length] as number;
    if (distance < best) [best, found] = [distance, `; nearest: \`${candidate}\``];
  }
  return found;
}
