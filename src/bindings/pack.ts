/** The other half of src/runtime/packed.ts: finds what objects have in common. Any plain data, no undefined or null; deterministic. */
import type { Packed, PackedShape } from '../runtime/packed.js';

type Plain = string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain };
type Tree = { readonly [key: string]: Plain };

export function pack(value: Plain): { readonly shapes: readonly PackedShape[]; readonly packed: Packed } {
  const groups = new Map<string, Tree[]>();
  const collect = (v: Plain): void => {
    if (isList(v)) return v.forEach(collect);
    if (typeof v !== 'object') return;
    groups.set(groupOf(v), [...(groups.get(groupOf(v)) ?? []), v]);
    Object.values(v).forEach(collect);
  };
  collect(value);
  const names = [...groups.keys()];
  const shapes = [...groups.values()].map(shapeOf);
  const write = (v: Plain): Packed => {
    if (isList(v)) return [0, ...v.map(write)];
    if (typeof v !== 'object') return v;
    const at = names.indexOf(groupOf(v));
    const [, ...keys] = shapes[at] as PackedShape;
    return [at + 1, ...keys.map((key) => write(v[key] as Plain))];
  };
  return { shapes, packed: write(value) };
}

const isList = (v: Plain): v is readonly Plain[] => Array.isArray(v);
/** Objects of the same keys, and of the same kind where they have one. */
const groupOf = (v: Tree): string => JSON.stringify([v['kind'] ?? '', ...Object.keys(v)]);
function shapeOf(group: readonly Tree[]): PackedShape {
  const first = group[0] as Tree;
  const shared = Object.entries(first).filter(([key, v]) => typeof v !== 'object' && group.every((g) => g[key] === v));
  const keys = Object.keys(first).filter((key) => !shared.some(([k]) => k === key));
  return [Object.fromEntries(shared) as PackedShape[0], ...keys];
}
