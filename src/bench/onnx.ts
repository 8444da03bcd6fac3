/**
 * Just enough of ONNX to write a model: protobuf's wire format and the few messages that a graph of operators needs. Field numbers
 * are those of onnx.proto.
 */

type Field = readonly [number: number, value: number | string | Uint8Array];

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}

/** A message from its fields: numbers as varints, strings and bytes with their length. */
function message(fields: readonly Field[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [number, value] of fields) {
    if (typeof value === 'number') {
      parts.push(Uint8Array.from([...varint(number * 8), ...varint(value)]));
      continue;
    }
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    parts.push(Uint8Array.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes);
  }
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const repeated = (number: number, values: readonly (number | string | Uint8Array)[]): Field[] => values.map((value) => [number, value]);

export interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}
/** A float32 value of the graph. */
export interface Port {
  readonly name: string;
  readonly shape: readonly number[];
}
export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: { readonly [name: string]: number | readonly number[] | Graph };
}
export interface Graph {
  readonly nodes: readonly Node[];
  readonly constants: readonly Tensor[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

const float = 1;
const int64 = 7;

function tensor({ name, shape, data }: Tensor): Uint8Array {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return message([...repeated(1, shape), [2, data instanceof Float32Array ? float : int64], [8, name], [9, raw]]);
}

function port({ name, shape }: Port): Uint8Array {
  const dimensions = message(shape.map((size): Field => [1, message([[1, size]])]));
  const type = message([[1, message([[1, float], [2, dimensions]])]]);
  return message([[1, name], [2, type]]);
}

function attribute(name: string, value: number | readonly number[] | Graph): Uint8Array {
  if (typeof value === 'number') return message([[1, name], [3, value], [20, 2]]);
  if ('nodes' in value) return message([[1, name], [6, graph(value)], [20, 5]]);
  return message([[1, name], ...repeated(8, value), [20, 7]]);
}

function node({ op, inputs, outputs, attributes = {} }: Node): Uint8Array {
  const settings = Object.entries(attributes).map(([name, value]) => attribute(name, value));
  return message([...repeated(1, inputs), ...repeated(2, outputs), [4, op], ...repeated(5, settings)]);
}

function graph({ nodes, constants, inputs, outputs }: Graph): Uint8Array {
  return message([
    ...repeated(1, nodes.map(node)), [2, 'graph'], ...repeated(5, constants.map(tensor)), ...repeated(11, inputs.map(port)), ...repeated(12, outputs.map(port)),
  ]);
}

/** A model of operator set 17. Negative numbers in attributes are not supported. */
export function onnxModel(main: Graph): Uint8Array {
  return message([[1, 8], [7, graph(main)], [8, message([[1, ''], [2, 17]])]]);
}
