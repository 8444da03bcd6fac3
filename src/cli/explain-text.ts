/** What `ssmc explain` prints of a compiled model: its stages on wasm, its kernels on WebGPU. */
import type { Explanation, StageReport } from '../explain/explain.js';
import { count, plural, size } from '../explain/units.js';
import type { Cost, GpuExplanation, KernelReport } from '../explain/gpu.js';

export function explanationText(e: Explanation): string {
  const lines = [
    `${e.model}: ${e.stages.length} stages in ${e.kernels} kernels, ${e.loadStages} stages at load; ${e.wasmBytes} bytes of WebAssembly`,
    `figures for batch ${e.batch}, length ${e.length}; tiles of ${e.tile} steps`,
    `memory     ${size(e.memory.rows)} activations per tile, ${size(e.memory.carry)} states, ${size(e.memory.constants)} constants`,
    '',
    ...e.stages.flatMap(stageText),
    '',
  ];
  return `${lines.join('\n')}\n`;
}
function stageText(s: StageReport): string[] {
  return [
    `${s.anchor.padEnd(14)} ${s.name}  over ${s.domain}`,
    `  ${size(s.bytes)} moved, at least ${size(s.must)}${s.materialised > s.must ? ` (${size(s.materialised)} with its intermediates in memory)` : ''}; ${count(s.arithmetic)} operations, ${count(s.exponentials)} exponentials`,
    ...(s.scans ? [`  ${s.scans.run === 1 ? 'one scan' : `${s.scans.run} scans`} for ${s.scans.chains === 1 ? 'one chain' : `${s.scans.chains} chains`}; ${s.strategy ?? ''}: ${s.why ?? ''}`] : []),
    ...weighedText(s.weighed),
  ];
}
function weighedText(weighed: StageReport['weighed']): string[] {
  return (weighed ?? []).map((o) => `  weighed: ${o.name}${o.possible ? '' : ', not possible'}: ${o.why}`);
}

export function gpuText(e: GpuExplanation): string {
  const tiles = e.slices.flatMap((s) => s.tiles);
  const lines = [
    `${e.model}: ${e.stages} stages in ${e.kernels.length} kernels, ${e.pipelines} pipelines; ${e.source.bytes} bytes of ${e.source.language}`,
    `figures for batch ${e.batch}, length ${e.length}: ${plural(e.slices.length, 'slice')} of the batch, ${plural(tiles.length, 'tile')} of up to ${Math.max(...tiles)} steps (longer once the device is known to be faster)`,
    `memory     ${size(e.memory.rows)} activations, ${size(e.memory.carry)} states and past, ${size(e.memory.constants)} constants; the host writes and reads ${size(e.host.run)} a run, ${size(e.host.push)} a push`,
    '',
    ...e.kernels.flatMap(kernelText),
    '',
    `a run      ${costText(e.run)}`,
    ...(e.push ? [`a push     ${costText(e.push)} (of one step)`] : []),
    ...e.storage.map((s) => `stored     ${s.name} as ${s.element}: ${s.why}`),
    '',
  ];
  return `${lines.join('\n')}\n`;
}
function kernelText(k: KernelReport): string[] {
  const [x, y, z] = k.grid;
  const groups = [x, y, z].filter((n, i) => i === 0 || n > 1).join(' × ');
  const launched = x === 0 ? 'not launched for a tile of so few steps' : `${groups} ${groups === '1' ? 'group' : 'groups'} of ${plural(k.workgroup, 'thread')}`;
  const steps = k.phase === 'begin' ? ', at the beginning' : k.phase === 'finish' ? ', at the end' : '';
  return [
    `${(k.anchor ?? 'begin').padEnd(14)} ${k.name}${k.domain === undefined ? '' : `  over ${k.domain}`}${k.entry === k.name ? '' : `, by ${k.entry}`}${k.strategy === undefined ? '' : `; ${k.strategy}`}`,
    `  ${launched}${k.workgroupMemory > 0 ? `, ${size(k.workgroupMemory)} of workgroup memory` : ''}${k.tensor ? ', products on tensor cores' : ''}${steps}`,
    `  a run: ${costText(k.run)}`,
    ...(k.phase === 'begin' ? [] : [`  a push: ${costText(k.push)}`]),
    ...(k.weighed ? [`  ${k.strategy ?? ''}: ${k.why ?? ''}`, ...weighedText(k.weighed)] : []),
  ];
}
function costText(c: Cost): string {
  if (c.dispatches === 0) return 'nothing';
  const shared = c.shared > 0 ? `, ${size(c.shared)} of workgroup memory` : '';
  return `${plural(c.dispatches, 'dispatch', 'dispatches')}, ${size(c.moved)} moved, ${size(c.asked)} asked for${shared}; ${plural(c.barriers, 'barrier')}; ${count(c.arithmetic)} operations, ${count(c.exponentials)} exponentials`;
}
