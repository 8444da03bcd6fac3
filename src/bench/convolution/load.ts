/** What the kernels and spectra of convolutions take when weights are bound: dense transitions, diagonal plus low rank, diagonal. */
import { initialise } from '../../interpreter/initialise.js';
import { clock } from '../clock.js';
import type { Bench, Figure } from '../contest.js';
import { compileSpec, placing } from '../ours.js';

const blocks = [
  { block: 'LSSL', structure: 'dense', atMost: 5 },
  { block: 'S4', structure: 'diagonal plus low rank', atMost: 1 },
  { block: 'S4D', structure: 'complex diagonal', atMost: 1 },
] as const;
const title = 'binding weights: kernels of convolutions, 256 channels, N=64, at least 4096 steps';

export const load: Bench = {
  name: 'convolution/load', title,
  run: async ({ rounds, onProgress }) => {
    const figures: Figure[] = [];
    for (const { block, structure, atMost } of blocks) {
      const text = `import ${block} from "std"\nmodel Load {\n  axis c = 256\n  input x[t, c]\n  output y = ${block}(x, state = 64)\n}\n`;
      const { module, program } = compileSpec(text, { strategy: 'convolution' });
      const weights = Object.fromEntries(initialise(program, 1));
      let best = Infinity;
      for (let round = 0; round < rounds; round++) {
        onProgress?.(`convolution/load: ${block}, round ${round + 1}`);
        const start = clock();
        await placing(module, weights);
        best = Math.min(best, clock() - start);
      }
      figures.push({ name: `${block}, ${structure}`, unit: 's', value: best / 1000, atMost, remark: `kernels of ${module.manifest.tile} steps` });
    }
    return [{ kind: 'figures', name: load.name, title, figures, notes: ['the whole of it, from weights in memory to a model that runs; minimum of rounds, one thread'] }];
  },
};
