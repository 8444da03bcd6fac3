/**
 * How each recurrence is run, by what it is and what the machine has.
 *
 * serial: channels in parallel, time in order. chunked: per-chunk summaries, a carry scan, a second pass; twice the arithmetic, for
 * machines with more threads than channels. step: a step at a time, where the recurrence isn't affine, or on request.
 */
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import type { Builder } from '../ir/builder.js';
import type { Stage, StageGraph, Strategy } from '../ir/stages.js';
import { chunkStep } from './chunk-step.js';

/** The reason of a strategy that the user forced. */
export const ASKED = 'asked for';

export function chooseStrategies(graph: StageGraph, builder: Builder, wanted: 'auto' | Strategy, diagnostics: Diagnostics): StageGraph {
  const stages = graph.stages.map((stage): Stage => {
    if (stage.anchor !== 'scan') return stage;
    const step = chunkStep(stage, graph.program, builder);
    const obstacle = step.kind === 'none' ? step.why : undefined;
    if (wanted === 'chunked') {
      if (obstacle === undefined) return { ...stage, strategy: { name: 'chunked', why: ASKED } };
      const first = stage.states[0];
      const d = first && graph.program.definitions[first.def];
      if (d) diagnostics.error('SSM4101', d.span, { state: d.name, why: obstacle });
    }
    const notAffine = step.kind === 'none' && !step.affine;
    const named = stage.states[0] && graph.program.definitions[stage.states[0].def];
    if (notAffine && named) diagnostics.warning('SSM3301', named.span, { state: named.name, why: obstacle ?? '' });
    if (wanted === 'step') return { ...stage, strategy: { name: 'step', why: ASKED } };
    if (notAffine) return { ...stage, strategy: { name: 'step', why: obstacle ?? '' } };
    return { ...stage, strategy: { name: 'serial', why: 'one thread runs its channels on the lanes; chunks would double the arithmetic' } };
  });
  return { ...graph, stages };
}
