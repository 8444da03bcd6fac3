/** The first check would take as long as ten others, for all code is new to the engine: it is done on a model of ours, before the client hears that the server is ready. */
import { standardLibrary } from '../cli/io.js';
import { LanguageService } from '../language-service/index.js';

const rounds = 2;
/** It has a mistake, for what is said of mistakes is code too. */
const spec = (round: number): string => `import Embed, LayerNorm, CoupledMamba, Linear from "std"
model Warm {
  modalities m = a[${4 + round}], b[2]
  axis c = 4
  input x[t, m, f]
  v = Embed(x, width = c)
  repeat 2 as layers { v = v + CoupledMamba(LayerNorm(v), state = 4) }
  state h[t, m, c] = 0.5 * h[t-1, m, c] + v[t, m, c]
  output y = Linear(h, out = 2)
  output z[t, c] = unknown[t, c]
}
`;

export function warmUp(): void {
  let text = '';
  const path = 'warm.ssm';
  const service = new LanguageService({ std: standardLibrary(), read: (p) => (p === path ? text : undefined) });
  for (let round = 0; round < rounds; round++) {
    text = spec(round);
    service.diagnostics(path);
    service.semanticTokens(path);
    service.hints(path);
    service.outline(path);
  }
}
