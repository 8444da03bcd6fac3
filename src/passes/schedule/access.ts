/**
 * Loads: where a definition's element is read from, under an environment. Run-time kernels read what was computed at load time from
 * float32 constants packed in the order of their loops.
 */
import type { Int, Value } from '../../ir/kernel.js';
import type { Affine, ExprOf, Index } from '../../ir/program.js';
import { iadd, imul, imin, int } from './ints.js';
import { accessIndices, rowMajor, type Layout, type PackDimension, type PackedConstant, type Storage } from './layout.js';
import { affinePlace, placeOf, type Env } from './places.js';

export interface AccessShape {
  readonly lanes: number;
  /** Elements of a lane tile. */
  readonly tile: number;
  readonly domain: readonly Index[];
  readonly laneIndex: Index | undefined;
  readonly unroll: number;
}

/** Element index inside a row, and how far apart the lanes read. */
export function element(env: Env, strides: readonly number[], at: readonly Affine[], offset: number): { at: Int; lane: number } {
  let sum: Int = int(offset);
  let lane = 0;
  at.forEach((a, p) => {
    const place = affinePlace(env, a);
    const stride = strides[p] as number;
    sum = iadd(sum, imul(place.int, stride));
    lane += stride * place.lane;
  });
  return { at: sum, lane };
}

/** The last lane that stands for a member, for gathers: beyond it the address is not to be trusted. */
export function lastMember(env: Env, lanes: number, at: readonly Affine[]): Int {
  let last: Int = int(lanes - 1);
  for (const index of accessIndices(at)) {
    const p = placeOf(env, index);
    if (p.lane) last = imin(last, iadd(int(index.axis.size - 1), imul(p.int, -1)));
  }
  return last;
}

export function loadValue(buffer: string, at: Int, lane: number, last: () => Int): Value {
  return { kind: 'load', buffer, at, access: lane === 0 ? 'uniform' : lane === 1 ? 'vector' : { stride: int(lane), last: last() } };
}

/** From float64 scratch, at load time. */
export function loadScratch(storage: Storage, e: ExprOf<'read'>, env: Env, lanes: number): Value {
  const { at, lane } = element(env, storage.strides, e.at, storage.offset);
  return loadValue(storage.buffer, at, lane, () => lastMember(env, lanes, e.at));
}

/** From a packed constant: dimensions in the order [domain…][lane tiles][looped…][unrolled…][lanes of a tile]. */
export function loadConstant(layout: Layout, e: ExprOf<'read'>, env: Env, shape: AccessShape): Value {
  const indices = accessIndices(e.at);
  const laned = indices.filter((i) => placeOf(env, i).tile !== undefined);
  const lane = laned.length === 1 && laned[0] !== undefined ? laned[0] : undefined;
  if (!lane) return loadNatural(layout, e, env, shape);
  const isDomain = (i: Index): boolean => shape.domain.includes(i);
  const rank = (i: Index): number => (isDomain(i) ? 0 : i.axis.size > shape.unroll ? 1 : 2);
  const outer = indices.filter((i) => i !== lane && isDomain(i));
  const inner = indices.filter((i) => i !== lane && !isDomain(i)).sort((a, b) => rank(a) - rank(b));
  const innerSizes = inner.map((i) => i.axis.size);
  const innerCount = innerSizes.reduce((n, s) => n * s, 1);
  const tileStride = innerCount * shape.tile;
  const tiles = Math.ceil(lane.axis.size / shape.tile);
  const outerStrides = rowMajor(outer.map((i) => i.axis.size)).map((s) => s * tiles * tileStride);
  const innerStrides = rowMajor(innerSizes).map((s) => s * shape.tile);
  const dimensions: PackDimension[] = [
    ...outer.map((i, k) => ({ size: i.axis.size, stride: outerStrides[k] as number })),
    { size: lane.axis.size, stride: tileStride, tile: shape.tile },
    ...inner.map((i, k) => ({ size: i.axis.size, stride: innerStrides[k] as number })),
  ];
  const order = [...outer, lane, ...inner];
  const packed = layout.constant(e.def, dimensions, coefficients(e.at, order), outer.reduce((n, i) => n * i.axis.size, 1) * tiles * tileStride);
  const place = placeOf(env, lane);
  const tile = place.tile as { base: Int; vector: number };
  let at: Int = iadd(imul(tile.base, innerCount), int(tile.vector * shape.lanes));
  outer.forEach((i, k) => { at = iadd(at, imul(placeOf(env, i).int, outerStrides[k] as number)); });
  inner.forEach((i, k) => { at = iadd(at, imul(placeOf(env, i).int, innerStrides[k] as number)); });
  return { kind: 'load', buffer: packed.buffer, at, access: 'vector' };
}
/** Row-major over the definition's own indices: for reads that no lane tile goes along. */
function loadNatural(layout: Layout, e: ExprOf<'read'>, env: Env, shape: AccessShape): Value {
  const d = layout.program.definitions[e.def];
  const sizes = d ? d.indices.map((i) => i.axis.size) : [];
  const strides = rowMajor(sizes);
  const at = sizes.map((_, p): PackedConstant['at'][number] => ({ constant: 0, coefficients: sizes.map((__, q) => (p === q ? 1 : 0)) }));
  const packed = layout.constant(e.def, sizes.map((size, k) => ({ size, stride: strides[k] as number })), at, Math.max(1, sizes.reduce((n, s) => n * s, 1)));
  const place = element(env, strides, e.at, 0);
  return loadValue(packed.buffer, place.at, place.lane, () => lastMember(env, shape.lanes, e.at));
}
function coefficients(at: readonly Affine[], order: readonly Index[]): PackedConstant['at'] {
  return at.map((a) => ({ constant: a.constant, coefficients: order.map((i) => a.terms.find((t) => t.index === i)?.coefficient ?? 0) }));
}
