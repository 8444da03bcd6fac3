/** Reductions over the threads of a group in WGSL: through the group's memory, or, where the adapter has the feature, by subgroups first. */

const join = (op: string, a: string, b: string): string => (op === 'sum' ? `${a} + ${b}` : `${op}(${a}, ${b})`);
/** A name is `op_count`, over so many threads; the result is every thread's. */
function parts(name: string): { readonly op: string; readonly count: number } {
  const [op = 'sum', count = '1'] = name.split('_');
  return { op, count: Number(count) };
}

/** Pairwise, in a fixed order, through the group's memory. */
export function groupReduction(name: string): string {
  const { op, count } = parts(name);
  return `var<workgroup> scratch_${name}: array<f32, ${count}>;
fn reduce_${name}(x: f32, lid: i32) -> f32 {
  scratch_${name}[lid] = x;
  workgroupBarrier();
  for (var n = ${count / 2}; n > 0; n = n / 2) {
    if (lid < n) {
      let a = scratch_${name}[lid];
      let b = scratch_${name}[lid + n];
      scratch_${name}[lid] = ${join(op, 'a', 'b')};
    }
    workgroupBarrier();
  }
  let result = scratch_${name}[0];
  workgroupBarrier();
  return result;
}`;
}

/**
 * Each subgroup joins what its threads hold, and its first thread writes that down; then every subgroup joins what all have written. Nothing
 * is assumed of how many threads a subgroup has, whether all subgroups are full, or which threads of the group form one. The order is the
 * same in every group of the same size on the same device, so a row has the same bits whatever else is computed.
 */
export function subgroupReduction(name: string): string {
  const { op, count } = parts(name);
  const builtin = op === 'sum' ? 'subgroupAdd' : op === 'max' ? 'subgroupMax' : 'subgroupMin';
  return `var<workgroup> scratch_${name}: array<f32, ${count}>;
var<workgroup> first_${name}: array<bool, ${count}>;
fn reduce_${name}(x: f32, lid: i32) -> f32 {
  let mine = ${builtin}(x);
  let rank = i32(subgroupExclusiveAdd(1u));
  let size = i32(subgroupAdd(1u));
  scratch_${name}[lid] = mine;
  first_${name}[lid] = rank == 0;
  workgroupBarrier();
  var all = ${op === 'sum' ? '0.0' : 'mine'};
  for (var i = rank; i < ${count}; i += size) {
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
