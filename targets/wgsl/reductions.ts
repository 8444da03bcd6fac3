/**
 * Reductions over the threads that take a point together in WGSL: through the group's memory, or, where they are all of the group and the adapter has
 * the feature, by subgroups first. A group of several points reduces all of them at once, between the same barriers.
 */

export interface Reduction {
  readonly op: 'sum' | 'max' | 'min';
  /** Neighbours whose values are joined: lanes of a point. The result is each one's. */
  readonly lanes: number;
  /** Of the group. */
  readonly threads: number;
}
const shape = ({ lanes, threads }: Reduction): string => (lanes === threads ? `${lanes}` : `${lanes}_of_${threads}`);
export const reductionName = (r: Reduction): string => `reduce_${r.op}_${shape(r)}`;
export const isWhole = ({ lanes, threads }: Reduction): boolean => lanes === threads;

/** Values that one thread joins. */
const EACH = 8;
const join = (op: Reduction['op'], a: string, b: string): string => (op === 'sum' ? `(${a} + ${b})` : `${op}(${a}, ${b})`);
/** The first half with the second, until one is left. */
function pairwise(op: Reduction['op'], list: readonly string[]): string {
  if (list.length === 1) return list[0] as string;
  const half = list.length / 2;
  return pairwise(op, list.slice(0, half).map((x, k) => join(op, x, list[half + k] as string)));
}
/** How the lanes are joined: so many threads join some each, and every thread what these have. */
const columnsOf = ({ lanes }: Reduction): number => Math.max(1, lanes / EACH);

/** What the functions keep in the group's memory, those of all operations the same. */
function scratch(r: Reduction): string[] {
  const columns = columnsOf(r);
  return [
    `var<workgroup> scratch_${shape(r)}: array<f32, ${r.threads}>;`,
    ...(columns > 1 ? [`var<workgroup> joined_${shape(r)}: array<f32, ${(r.threads / r.lanes) * columns}>;`] : []),
  ];
}
/** Functions and their memory. `subgroups`: the adapter has them. */
export function reductionTexts(reductions: Iterable<Reduction>, subgroups: boolean): string[] {
  const all = [...reductions].sort((a, b) => (reductionName(a) < reductionName(b) ? -1 : 1));
  const bySubgroups = (r: Reduction): boolean => subgroups && isWhole(r);
  return [...new Set(all.flatMap((r) => (bySubgroups(r) ? [] : scratch(r)))), ...all.map((r) => (bySubgroups(r) ? subgroupReduction(r) : groupReduction(r)))];
}
/** Pairwise, in a fixed order, through the group's memory: what is next to be joined is half of them apart. */
function groupReduction(r: Reduction): string {
  const { op, lanes } = r;
  const columns = columnsOf(r);
  const values = `scratch_${shape(r)}`;
  const head = [`fn ${reductionName(r)}(x: f32, lid: i32) -> f32 {`, `  ${values}[lid] = x;`, '  workgroupBarrier();'];
  const all = (name: string, count: number, from: string, step: number): string => pairwise(op, Array.from({ length: count }, (_, k) => `${name}[${from}${k > 0 ? ` + ${k * step}` : ''}]`));
  if (columns === 1) {
    return [
      ...head,
      `  let first = ${isWhole(r) ? '0' : `lid - lid % ${lanes}`};`,
      `  let result = ${all(values, lanes, 'first', 1)};`,
      '  workgroupBarrier();',
      '  return result;', '}',
    ].join('\n');
  }
  const joined = `joined_${shape(r)}`;
  const [lane, first, to] = isWhole(r) ? ['lid', '0', 'lid'] : [`lid % ${lanes}`, `lid / ${lanes} * ${columns}`, 'first + lane'];
  // Nobody writes what others may still read: before the next values are there to be joined, all have come to the next barrier.
  return [
    ...head,
    `  let lane = ${lane};`,
    `  let first = ${first};`,
    `  if (lane < ${columns}) { ${joined}[${to}] = ${all(values, lanes / columns, 'lid', columns)}; }`,
    '  workgroupBarrier();',
    `  return ${all(joined, columns, 'first', 1)};`, '}',
  ].join('\n');
}

/**
 * Each subgroup joins what its threads hold, and its first thread writes that down; then every subgroup joins what all have written. Nothing
 * is assumed of how many threads a subgroup has, whether all subgroups are full, or which threads of the group form one. The order is the
 * same in every group of the same size on the same device, so a row has the same bits whatever else is computed. Of a part of a group nothing
 * says which subgroups its threads are in.
 */
function subgroupReduction(r: Reduction): string {
  const { op, threads } = r;
  const builtin = op === 'sum' ? 'subgroupAdd' : op === 'max' ? 'subgroupMax' : 'subgroupMin';
  const name = reductionName(r).replace('reduce_', '');
  return `var<workgroup> scratch_${name}: array<f32, ${threads}>;
var<workgroup> first_${name}: array<bool, ${threads}>;
fn ${reductionName(r)}(x: f32, lid: i32) -> f32 {
  let mine = ${builtin}(x);
  let rank = i32(subgroupExclusiveAdd(1u));
  let size = i32(subgroupAdd(1u));
  scratch_${name}[lid] = mine;
  first_${name}[lid] = rank == 0;
  workgroupBarrier();
  var all = ${op === 'sum' ? '0.0' : 'mine'};
  for (var i = rank; i < ${threads}; i += size) {
    if (first_${name}[i]) {
      let other = scratch_${name}[i];
      all = ${join(op, 'all', 'other')};
    }
  }
  let result = ${builtin}(all);
  workgroupBarrier();
  return result;
}`;
}
