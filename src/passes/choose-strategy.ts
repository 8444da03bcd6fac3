/**
 * How each recurrence is run, by what it is and what the machine has.
 *
 * serial: channels in parallel, time in order. chunked: per-chunk summaries, a carry scan, a second pass; twice the arithmetic, for
 * machines with more threads than channels. convolution: a time-invariant recurrence by its kernel, where the state is large: streams, and what lies
 * beyond the kernel, are run in order. step: a step at a time, where the recurrence isn't affine, or on request.
 *
 * It is chosen for the machine, before the batch is known: a choice by the batch would change the bits of its rows (fill.ts).
 */
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import type { Builder } from '../ir/builder.js';
import { printExpr } from '../ir/print-program.js';
import type { Stage, StageGraph, Strategy } from '../ir/stages.js';
import { applyPowers } from './chunk-power.js';
import { chunkStep, type ChunkStep, type NoChunkStep } from './chunk-step.js';
import type { Recurrences } from './normal-form.js';
import type { StabilityReport } from './stability.js';
import { applyConvolutions } from './convolution/apply.js';
import { convolutionCost, scanCost, TYPICAL_LENGTH } from './convolution/cost.js';
import { kernelLength, MIN_LENGTH, WORTHWHILE_LENGTH } from './convolution/length.js';
import { recognise, type Convolution, type NoConvolution } from './convolution/recognise.js';
import { fillOf, type Fill } from './fill.js';
import { CHUNK } from './schedule/limits.js';
import type { Machine } from './schedule/shape.js';

/** The reason of a strategy that the user forced. */
export const ASKED = 'asked for';
const UNWEIGHED = 'its transition has no t; on request only, by --strategy convolution: what it costs on this machine is not known, and on one whose threads take turns at barriers, as a GPU made of software, it was slower than the scan';
type Weighed = NonNullable<NonNullable<Stage['strategy']>['weighed']>;

/** `source`: the recurrences as the user wrote them, to say in whose words what forbids a scan. */
export function chooseStrategies(
  graph: StageGraph, machine: Machine, builder: Builder, wanted: 'auto' | Strategy, diagnostics: Diagnostics, source?: Recurrences, stability: readonly StabilityReport[] = [],
): StageGraph {
  const convolutions = new Map(graph.stages.filter((s) => s.anchor === 'scan').map((s) => [s, recognise(s, graph.program, builder)]));
  const faster = wanted === 'auto' ? fasterConvolved(graph, convolutions, machine, stability, builder) : new Map<Stage, Verdict>();
  const chosen = new Map<Stage, Convolution>();
  const stages = graph.stages.map((stage): Stage => {
    if (stage.anchor !== 'scan') return stage;
    const convolution = convolutions.get(stage) as Convolution | NoConvolution;
    const step = chunkStep(stage, graph.program, builder);
    const named = stage.states[0] && graph.program.definitions[stage.states[0].def];
    if (named && wanted === 'convolution' && convolution.kind === 'none') diagnostics.error('SSM4103', named.span, { state: named.name, why: convolution.why });
    const affine = step.kind === 'chunk-step' || step.affine;
    if (named && wanted === 'chunked' && step.kind === 'none') diagnostics.error('SSM4101', named.span, { state: named.name, why: step.why });
    const why = step.kind === 'none' && !affine ? ((named && source && reasonOf(named.name, source)) ?? step.why) : '';
    if (named && !affine) diagnostics.warning('SSM3301', named.span, { state: named.name, why });
    const fill = machine.threads && fillOf(stage, step, machine.threads);
    const options = weigh(step, affine, why, fill, convolution, faster.get(stage)?.why ?? (machine.costs ? 'its transition has no t' : UNWEIGHED));
    const choose = (name: Strategy, because?: string): Stage => {
      const own = options.find((o) => o.name === name);
      const fewSerial = name === 'chunked' && because !== ASKED && machine.threads?.maybeFew;
      return { ...stage, strategy: { name, why: because ?? own?.why ?? '', ...(fewSerial ? { fewSerial } : {}), weighed: options.filter((o) => o.name !== name) } };
    };
    if (wanted === 'chunked' && step.kind === 'chunk-step') return choose('chunked', ASKED);
    if (wanted === 'step') return choose('step', ASKED);
    if (convolution.kind === 'convolution' && (wanted === 'convolution' || faster.get(stage)?.better)) {
      const convolved = choose('convolution', ...(wanted === 'convolution' ? [ASKED] : []));
      chosen.set(convolved, convolution);
      return convolved;
    }
    if (wanted === 'auto' && fill?.chunks) return choose('chunked');
    return affine ? choose('serial') : choose('step');
  });
  const done = applyPowers({ ...graph, stages }, builder);
  return chosen.size === 0 ? done : applyConvolutions(done, chosen, kernelLength(graph, [...chosen]) ?? MIN_LENGTH, builder);
}
interface Verdict {
  readonly better: boolean;
  readonly why: string;
}
/** Of the recurrences that can be convolutions, which are faster so, by the machine's costs. All of a model share one length. */
function fasterConvolved(graph: StageGraph, convolutions: ReadonlyMap<Stage, Convolution | NoConvolution>, { costs }: Machine, stability: readonly StabilityReport[], b: Builder): ReadonlyMap<Stage, Verdict> {
  if (!costs) return new Map();
  const possible = [...convolutions].flatMap(([stage, c]) => (c.kind === 'convolution' ? [[stage, c] as const] : []));
  const weighed = possible.map(([stage, c]) => {
    const [scan, convolved] = [scanCost(stage, costs), convolutionCost(stage, c, TYPICAL_LENGTH, costs, b.const(0))];
    const why = `a channel's step takes about ${shown(convolved)} ns at ${TYPICAL_LENGTH} steps, ${shown(scan)} ns as a scan`;
    const grows = mayGrow(graph, stage, stability);
    return { stage, c, better: convolved < scan && !grows, why: grows ? `${why}; it may grow, and what a transform rounds is relative to its largest answer` : why };
  });
  const better = weighed.filter((w) => w.better);
  const length = better.length > 0 ? kernelLength(graph, better.map((w) => [w.stage, w.c] as const)) ?? 0 : 0;
  return new Map(weighed.map(({ stage, better, why }) => [stage, better && length < WORTHWHILE_LENGTH
    ? { better: false, why: `${why}; but its spectra, or a tile of activations, would take too much memory` } : { better, why: better ? `${why}; kernels of ${length} steps` : why }]));
}
const shown = (x: number): string => `${Number(x.toPrecision(2))}`;
function mayGrow(graph: StageGraph, stage: Stage, stability: readonly StabilityReport[]): boolean {
  const names = new Set(stage.items.map((i) => (graph.program.definitions[i.def]?.name ?? '').replace(/#.*$/, '')));
  return stability.some((r) => r.verdict === 'may-grow' && r.states.some((s) => names.has(s.replace(/#.*$/, ''))));
}
function weigh(step: ChunkStep | NoChunkStep, affine: boolean, notAffine: string, fill: Fill | undefined, convolution: Convolution | NoConvolution, costs: string): Weighed {
  if (!affine) return [
    { name: 'step', possible: true, why: notAffine },
    { name: 'serial', possible: false, why: 'no scan: it is not affine' }, { name: 'chunked', possible: false, why: 'no scan: it is not affine' },
    { name: 'convolution', possible: false, why: 'it is not affine' },
  ];
  const size = step.kind === 'chunk-step' ? step.components.length : 0;
  const summary = size === 1 ? 'a number' : `a matrix of ${size}×${size}`;
  return [
    { name: 'serial', possible: true, why: fill?.serial ?? 'one thread runs its channels on the lanes; chunks would double the arithmetic' },
    step.kind === 'chunk-step'
      ? { name: 'chunked', possible: true, why: `chunks of ${CHUNK} steps side by side, ${summary} per channel to summarise each: ${fill?.chunked ?? 'for more threads than channels'}` }
      : { name: 'chunked', possible: false, why: step.why },
    convolution.kind === 'none' ? { name: 'convolution', possible: false, why: convolution.why } : { name: 'convolution', possible: true, why: costs },
    { name: 'step', possible: true, why: 'what streaming does; the same order as serial' },
  ];
}
/** Why the recurrence that the state belongs to is no scan, with the subterm that forbids it. */
function reasonOf(state: string, { program, forms }: Recurrences): string | undefined {
  const written = state.replace(/#.*$/, '');
  const form = forms.find((f) => f.kind === 'not-affine' && f.members.some((id) => program.definitions[id]?.name === written));
  if (form?.kind !== 'not-affine') return undefined;
  const text = printExpr(program, form.subterm);
  return `${form.why}, in \`${text.length > 80 ? `${text.slice(0, 79)}…` : text}\``;
}
