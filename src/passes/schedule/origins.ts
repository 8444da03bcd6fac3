/** Where in the spec what the compiler made comes from: for messages about kernels and buffers. */
import { positionOf } from '../../diagnostics/render.js';
import type { GpuPlan } from '../../runtime/manifest.js';
import type { Definition } from '../../ir/program.js';
import type { StageGraph } from '../../ir/stages.js';
import type { Schedule } from './schedule.js';

/** The definition that a kernel computes: the first of its stage's that is stored, or the first of all. Kernels that only begin states have none. */
export function originsOf(graph: StageGraph, schedule: Schedule): ReadonlyMap<string, Definition> {
  const { definitions } = graph.program;
  return new Map([...schedule.kernelsOf].flatMap(([stage, kernels]) => {
    const item = stage.items.find((i) => stage.stored.has(i.def)) ?? stage.items[0];
    const definition = item && definitions[item.def];
    return definition ? kernels.map((k) => [k.name, definition] as const) : [];
  }));
}
/** The definition that a buffer holds, or is packed from. */
export function originOfBuffer(graph: StageGraph, buffer: string): Definition | undefined {
  const name = buffer.replace(/#(packed|state|load|own).*$/, '');
  return graph.program.definitions.find((d) => d.name === buffer || d.name === name);
}

/** The same as text for a runtime that has no spec at hand: `name` (file:line). */
export function originTexts(graph: StageGraph, schedule: Schedule, source: (file: string) => string | undefined): GpuPlan['origins'] {
  const text = ({ name, span }: Definition): string => {
    const file = source(span.file);
    return `\`${name.replace(/#.*/, '')}\` (${span.file}${file === undefined ? '' : `:${positionOf(file, span.start).line}`})`;
  };
  return {
    kernels: Object.fromEntries([...originsOf(graph, schedule)].map(([kernel, d]) => [kernel, text(d)])),
    outputs: graph.program.outputs.map((o) => text(graph.program.definitions[o.def] as Definition)),
  };
}
