/** Stages as text: a line per stage, and one per item. */
import { printExpr } from './print-program.js';
import type { Stage, StageGraph } from './stages.js';

export function printStages(graph: StageGraph): string {
  return `${graph.stages.map((s) => printStage(graph, s)).join('\n')}\n`;
}
export function printStage(graph: StageGraph, stage: Stage): string {
  const name = (id: number): string => graph.program.definitions[id]?.name ?? '';
  const over = [...(stage.order === 'forward' ? ['t→'] : stage.order === 'backward' ? ['t←'] : stage.phase === 'step' ? ['t'] : []), ...stage.domain.map((i) => `${i.name}:${i.axis.size}`)];
  const roles = (id: number): string => {
    const state = stage.states.find((s) => s.def === id);
    const accumulator = stage.accumulators.find((a) => a.def === id);
    return [
      ...(stage.stored.has(id as never) ? ['stored'] : []), ...(state ? [`kept ${state.depth} ${state.inPlace ? 'in place' : 'in slots'}`] : []), ...(accumulator ? [`accumulates ${accumulator.op}`] : []),
    ].join(', ');
  };
  return [
    `${stage.phase} ${stage.anchor} over [${over.join(', ')}]${stage.strategy ? `, ${stage.strategy.name}: ${stage.strategy.why}` : ''}`,
    ...stage.items.map((i) => `  ${name(i.def)}[${i.inner.map((x) => `${x.name}:${x.axis.size}`).join(', ')}] = ${printExpr(graph.program, i.body)}${roles(i.def) && `   (${roles(i.def)})`}`),
  ].join('\n');
}
