/**
 * Every error that a compiled model can give its user. A code never changes its meaning: 50xx weights, 51xx inputs, 52xx loading,
 * 53xx streams, 54xx what has been disposed of, 55xx devices. Each message says what was expected and what came; {name} stands for an
 * argument.
 */
export const runtimeMessages = {
  SSM5001: 'cannot read weights from {from}: {why}',
  SSM5002: 'not a safetensors file: {why}',
  SSM5003: 'safetensors: tensor `{name}`: {why}',
  SSM5004: 'the weights do not fit the model: {problems}',
  SSM5005: 'weight `{name}` must lie in [{low}, {high}] by a fact of the spec, but element {index} is {value}',
  SSM5006: 'tensor `{name}`: expected {want}, got {got}',
  SSM5007: 'there is no tensor `{name}`{near}',
  SSM5008: '`{name}` is singular: it has no inverse',
  SSM5101: 'missing input {missing}{near}',
  SSM5102: 'there is no input `{name}`{near} (inputs: {known})',
  SSM5103: 'input `{name}`: expected a Float32Array or { data: Float32Array, shape }, got {got}',
  SSM5104: 'input `{name}`: expected shape {want}, got {got}',
  SSM5105: 'input `{name}`: expected {want}, got {got}',
  SSM5106: 'inputs disagree: `{name}` has {what} {got}, {other} has {want}',
  SSM5107: 'input `{name}`: {what} is 0, expected at least 1',
  SSM5108: 'lengths: {why}',
  SSM5109: 'input `{name}` is {value} at [{at}], and `finite` was asked for',
  SSM5110: '{what}: {got}, over the limit of {limit}',
  SSM5201: 'cannot read kernels from {from}: {why}',
  SSM5202: 'the WebAssembly module cannot be used here: {why}',
  SSM5203: 'the manifest does not fit this runtime: {why}',
  SSM5204: 'device `{device}` is not compiled into this module; it has {known}',
  SSM5205: 'the model needs {bytes} bytes of memory: {why}',
  SSM5206: 'option `{option}`: expected {want}, got {got}',
  SSM5207: '{device} cannot be used here: {why}',
  SSM5301: 'this model cannot be streamed: {why}',
  SSM5302: 'not a saved stream: {why}',
  SSM5303: 'the saved stream is damaged: {why}',
  SSM5304: 'the stream was saved by another model: expected {want}, got {got}',
  SSM5305: 'the stream was saved with batch {got}, this one has batch {want}',
  SSM5401: 'the {what} has been disposed of',
  SSM5501: 'the GPU device was lost ({why}): this call has no result, the next one takes a new device',
  SSM5502: 'the GPU has no {bytes} bytes for `{name}`',
  SSM5503: 'the GPU refused a command: {why}',
  SSM5504: 'no GPU device after {tries} tries: {why}',
  SSM5505: 'the GPU computes wrong results: {why}',
} as const;
export type RuntimeCode = keyof typeof runtimeMessages;
/** The arguments that a message names. */
type Named<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}` ? (Name extends `${string} ${string}` ? never : Name) | Named<Rest> : never;
type Argument = string | number | readonly (string | number)[];
type Arguments<C extends RuntimeCode> = { readonly [Name in Named<(typeof runtimeMessages)[C]>]: Argument };

/** What every error of the runtime is: an Error with a stable code. */
export class SsmcError extends Error {
  readonly code: RuntimeCode;
  constructor(code: RuntimeCode, text: string, options?: { readonly cause?: unknown }) {
    super(`${code}: ${text}`, options);
    this.code = code;
  }
  // By the code, so that a minifier that renames classes doesn't rename errors.
  override get name(): string {
    return `${names[Number(this.code[4])] ?? 'Ssmc'}Error`;
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
export function failure<C extends RuntimeCode>(code: C, args: Arguments<C>, cause?: unknown): SsmcError {
  const kind = [WeightsError, InputError, LoadError, StreamError, DisposedError, DeviceError][Number(code[4])] ?? SsmcError;
  const text = runtimeMessages[code].replace(/\{(\w+)\}/g, (_, name: string) => [(args as Readonly<Record<string, Argument>>)[name]].flat().join(', '));
  return new kind(code, text, cause === undefined ? undefined : { cause });
}

/** Why something failed, in words. */
export const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What a value is, for a message. */
export function describe(value: unknown): string {
  return typeof value === 'number' ? `the number ${value}` : typeof value === 'string' ? 'a string' : kindOf(value);
}
/** Float32Array, Object, Null, …: the same in every realm. */
export const kindOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

export const shapeText = (shape: readonly (number | string)[]): string => `[${shape.join(', ')}]`;

/** "; nearest: `name`" for the known name that takes the fewest edits, or '' where none comes near. */
export function nearest(name: string, known: Iterable<string>): string {
  let best = Math.max(2, Math.floor(name.length / 2)) + 1;
  let found: string | undefined;
  for (const candidate of known) {
    const distance = edits(name, candidate);
    if (distance < best) [best, found] = [distance, candidate];
  }
  return found === undefined ? '' : `; nearest: \`${found}\``;
}

/** Levenshtein's distance. */
function edits(a: string, b: string): number {
  let row = [...Array(b.length + 1).keys()];
  for (let i = 1; i <= a.length; i++) {
    const last = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) row[j] = Math.min((last[j - 1] ?? 0) + Number(a[i - 1] !== b[j - 1]), (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
  }
  return row[b.length] ?? 0;
}
