/**
 * Convolution against scan over lengths, states and coupled chains, and which of them the compiler chooses: it must be the faster one nearly
 * always, and near it everywhere.
 */
import { numbers, filled } from '../scan/problem.js';
import { invariantSpec } from '../scan/ours.js';
import { clock } from '../clock.js';
import type { Bench, Figure } from '../contest.js';
import { compileSpec, placing, type InMemory, type Tensors } from '../ours.js';
import { initialise } from '../../interpreter/initialise.js';
import type { RoundOptions } from '../rounds.js';

export interface Grid {
  readonly channels: number;
  readonly lengths: readonly number[];
  readonly states: readonly number[];
  readonly chains: readonly number[];
}
const whole: Grid = { channels: 64, lengths: [512, 1024, 2048, 4096, 8192, 16384], states: [4, 16, 64, 256], chains: [1, 2, 3, 4] };
const strategies = ['serial', 'convolution'] as const;

interface Cell {
  readonly name: string;
  readonly chosen: string;
  readonly serial: number;
  readonly convolution: number;
}
const chosenMs = (c: Cell): number => (c.chosen === 'convolution' ? c.convolution : c.serial);
const fasterMs = (c: Cell): number => Math.min(c.serial, c.convolution);

export function gridBench(name: string, { channels, lengths, states, chains }: Grid): Bench {
  const title = `convolution against scan and what is chosen, D=${channels}, L ${lengths.join(', ')} × N ${states.join(', ')} × M ${chains.join(', ')}`;
  return {
    name, title,
    run: async (options) => {
      const cells: Cell[] = [];
      for (const modalities of chains) for (const n of states) cells.push(...await cellsOf({ steps: 0, channels, states: n, modalities }, lengths, name, options));
      const share = (ok: (c: Cell) => boolean): number => (100 * cells.filter(ok).length) / cells.length;
      const figures: Figure[] = cells.map((c) => ({
        name: c.name, unit: 'times', value: c.serial / c.convolution,
        remark: `scan ${c.serial.toFixed(2)} ms, convolution ${c.convolution.toFixed(2)} ms; ${c.chosen} chosen${chosenMs(c) > fasterMs(c) ? `, ${(100 * (chosenMs(c) / fasterMs(c) - 1)).toFixed(0)} % slower` : ''}`,
      }));
      return [{
        kind: 'figures', name, title, notes: ['scan over convolution; minimum of interleaved rounds of launches over inputs in memory'],
        figures: [
          ...figures,
          { name: 'the faster one is chosen', unit: '%', value: share((c) => chosenMs(c) === fasterMs(c)), atLeast: 90 },
          { name: 'what is chosen is within 15 % of the faster one', unit: '%', value: share((c) => chosenMs(c) <= 1.15 * fasterMs(c)), atLeast: 100 },
        ],
      }];
    },
  };
}

async function cellsOf(shape: Parameters<typeof invariantSpec>[0], lengths: readonly number[], name: string, options: RoundOptions): Promise<Cell[]> {
  const text = invariantSpec(shape);
  const { module: auto, program } = compileSpec(text);
  const chosen = auto.graph.stages.find((s) => s.strategy)?.strategy?.name ?? 'serial';
  const weights = Object.fromEntries(initialise(program, 1));
  const place = await Promise.all(strategies.map((strategy) => placing(compileSpec(text, { strategy }).module, weights)));
  const cells: Cell[] = [];
  for (const steps of lengths) {
    options.onProgress?.(`${name}: M=${shape.modalities} N=${shape.states} L=${steps}`);
    const random = numbers(7);
    const inputs: Tensors = Object.fromEntries(auto.manifest.inputs.map((i) => [i.name, filled(steps * i.shape.reduce((a, b) => a * b, 1), () => 2 * random() - 1)]));
    const [serial, convolution] = fastest(place.map((p) => p(inputs, steps)), options.rounds);
    cells.push({ name: `L=${steps} N=${shape.states} M=${shape.modalities}`, chosen, serial: serial as number, convolution: convolution as number });
  }
  return cells;
}
/** Milliseconds of each, the least of interleaved rounds; short ones are repeated within a round. */
function fastest(all: readonly InMemory[], rounds: number): number[] {
  const best = all.map(() => Infinity);
  // Until the engine has compiled both to their last form.
  for (const one of all) for (const end = performance.now() + 100; performance.now() < end;) one.run();
  for (let round = 0; round < rounds; round++) all.forEach((one, k) => {
    let times = 0;
    const start = clock();
    const end = performance.now() + 15;
    do { one.run(); times++; } while (performance.now() < end);
    best[k] = Math.min(best[k] as number, (clock() - start) / times);
  });
  return best;
}

export const grid = gridBench('convolution/grid', whole);
