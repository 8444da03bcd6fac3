/**
 * Every error that a compiled model can give its user. A code never changes its meaning: 50xx weights, 51xx inputs, 52xx loading,
 * 53xx streams, 54xx what has been disposed of. Each message says what was expected and what came.
 */

const list = (items: readonly string[]): string =>
  items.slice(0, 10).join('; ') + (items.length > 10 ? `; and ${items.length - 10} more` : '');

export const runtimeMessages = {
  SSM5001: (a: { from: string; why: string }) => `weights cannot be read from ${a.from}: ${a.why}`,
  SSM5002: (a: { why: string }) => `not a safetensors file: ${a.why}`,
  SSM5003: (a: { name: string; why: string }) => `safetensors: tensor \`${a.name}\`: ${a.why}`,
  SSM5004: (a: { problems: readonly string[] }) => `the weights do not fit the model: ${list(a.problems)}`,
  SSM5005: (a: { name: string; low: number; high: number; value: number; index: number }) =>
    `weight \`${a.name}\` must lie in [${a.low}, ${a.high}] by a fact of the spec, but element ${a.index} is ${a.value}`,
  SSM5006: (a: { name: string; want: string; got: string }) => `tensor \`${a.name}\`: expected ${a.want}, got ${a.got}`,
  SSM5007: (a: { name: string; near: string }) => `there is no tensor \`${a.name}\`${a.near}`,
  SSM5008: (a: { name: string }) => `\`${a.name}\` is singular: it has no inverse`,
  SSM5101: (a: { missing: readonly string[]; near: string }) => `missing input ${a.missing.map((m) => `\`${m}\``).join(', ')}${a.near}`,
  SSM5102: (a: { name: string; known: readonly string[]; near: string }) =>
    `there is no input \`${a.name}\`${a.near} (inputs: ${a.known.map((k) => `\`${k}\``).join(', ')})`,
  SSM5103: (a: { name: string; got: string }) => `input \`${a.name}\`: expected a Float32Array or { data: Float32Array, shape }, got ${a.got}`,
  SSM5104: (a: { name: string; want: string; got: string }) => `input \`${a.name}\`: expected shape ${a.want}, got ${a.got}`,
  SSM5105: (a: { name: string; want: string; got: string }) => `input \`${a.name}\`: expected ${a.want}, got ${a.got}`,
  SSM5106: (a: { name: string; what: string; got: number; other: string; want: number }) =>
    `inputs disagree: \`${a.name}\` has ${a.what} ${a.got}, ${a.other} has ${a.want}`,
  SSM5107: (a: { name: string; what: string }) => `input \`${a.name}\`: ${a.what} is 0, expected at least 1`,
  SSM5108: (a: { why: string }) => `lengths: ${a.why}`,
  SSM5109: (a: { name: string; value: number; at: readonly number[] }) => `input \`${a.name}\` is ${a.value} at [${a.at.join(', ')}], and \`finite\` was asked for`,
  SSM5110: (a: { what: string; got: number; limit: number }) => `${a.what}: ${a.got}, over the limit of ${a.limit}`,
  SSM5201: (a: { from: string; why: string }) => `kernels cannot be read from ${a.from}: ${a.why}`,
  SSM5202: (a: { why: string }) => `the WebAssembly module cannot be used here: ${a.why}`,
  SSM5203: (a: { why: string }) => `the manifest does not fit this runtime: ${a.why}`,
  SSM5204: (a: { device: string; known: readonly string[] }) => `device \`${a.device}\` is not compiled into this module; it has ${a.known.join(', ')}`,
  SSM5205: (a: { bytes: number; why: string }) => `the model needs ${a.bytes} bytes of memory: ${a.why}`,
  SSM5206: (a: { option: string; want: string; got: string }) => `option \`${a.option}\`: expected ${a.want}, got ${a.got}`,
  SSM5301: (a: { why: string }) => `this model cannot be streamed: ${a.why}`,
  SSM5302: (a: { why: string }) => `not a saved stream: ${a.why}`,
  SSM5303: (a: { why: string }) => `the saved stream is damaged: ${a.why}`,
  SSM5304: (a: { want: string; got: string }) => `the stream was saved by another model: expected ${a.want}, got ${a.got}`,
  SSM5305: (a: { want: number; got: number }) => `the stream was saved with batch ${a.got}, this one has batch ${a.want}`,
  SSM5401: (a: { what: string }) => `the ${a.what} has been disposed of`,
} as const;
export type RuntimeCode = keyof typeof runtimeMessages;
type Arguments<C extends RuntimeCode> = Parameters<(typeof runtimeMessages)[C]>[0];

/** What every error of the runtime is: an Error with a stable code. */
export class SsmcError extends Error {
  readonly code: RuntimeCode;
  constructor(code: RuntimeCode, text: string, options?: { readonly cause?: unknown }) {
    super(`${code}: ${text}`, options);
    this.code = code;
  }
  // A getter, so that a minifier that renames classes doesn't rename errors, and classes have no side effects at import.
  override get name(): string {
    return 'SsmcError';
  }
}
/** The weights can't be read, or don't fit. */
export class WeightsError extends SsmcError {
  override get name(): string {
    return 'WeightsError';
  }
}
/** What `run` or `push` was given doesn't fit. */
export class InputError extends SsmcError {
  override get name(): string {
    return 'InputError';
  }
}
/** The module can't be loaded here. */
export class LoadError extends SsmcError {
  override get name(): string {
    return 'LoadError';
  }
}
/** A stream can't be made or restored. */
export class StreamError extends SsmcError {
  override get name(): string {
    return 'StreamError';
  }
}
/** A model or stream was used after `dispose`. */
export class DisposedError extends SsmcError {
  override get name(): string {
    return 'DisposedError';
  }
}

const kindOf = (code: RuntimeCode): typeof SsmcError => {
  switch (code.slice(3, 5)) {
    case '50': return WeightsError;
    case '51': return InputError;
    case '52': return LoadError;
    case '53': return StreamError;
    default: return DisposedError;
  }
};

/** The error of this code, to be thrown. */
export function failure<C extends RuntimeCode>(code: C, args: Arguments<C>, cause?: unknown): SsmcError {
  const text = (runtimeMessages[code] as (a: Arguments<C>) => string)(args);
  return new (kindOf(code))(code, text, cause === undefined ? undefined : { cause });
}

/** Why something failed, in words. */
export const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What a value is, for a message. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value !== 'object') return `a ${typeof value}`;
  return Object.prototype.toString.call(value).slice(8, -1);
}

export const shapeText = (shape: readonly (number | string)[]): string => `[${shape.join(', ')}]`;

/** "; nearest: `name`" for the known name that takes the fewest edits, or '' where none comes near. */
export function nearest(name: string, known: Iterable<string>): string {
  let best = Math.max(2, Math.floor(name.length / 2)) + 1;
  let found: string | undefined;
  for (const candidate of known) {
    const distance = edits(name, candidate, best);
    if (distance < best) [best, found] = [distance, candidate];
  }
  return found === undefined ? '' : `; nearest: \`${found}\``;
}

/** Levenshtein's distance, or `limit` where it is at least that. */
function edits(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    if (Math.min(...next) >= limit) return limit;
    row = next;
  }
  return row[b.length] ?? limit;
}
