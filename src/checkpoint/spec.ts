/** The spec of a checkpoint's model, and the renames from its names to the checkpoint's. */
import type { Architecture, Mixer } from './architecture.js';

export interface SpecChoices {
  readonly name: string;
  /** What stands before stored names: `backbone.`, or nothing. */
  readonly prefix: string;
  /** Token ids, looked up in the embedding; or what an embedding gives. */
  readonly input: 'tokens' | 'embeddings';
  /** Scores for the next token; or what the head is given. */
  readonly output: 'logits' | 'hidden';
}
export interface Rename {
  readonly from: string;
  readonly to: string;
}

export function specOf(a: Architecture, choices: SpecChoices): { readonly text: string; readonly renames: readonly Rename[] } {
  const embedding = a.naming === 'transformers' ? 'embeddings' : 'embedding';
  const norm = a.norm === 'rms' ? 'RmsNorm' : 'LayerNorm';
  const block = a.mixer.kind === 'mamba' ? 'Mamba' : 'Mamba2';
  const logits = choices.output === 'logits';
  const looksUp = choices.input === 'tokens';
  const renames = renamesOf(embedding, choices, looksUp || (logits && a.tied));
  const eps = a.eps === 1e-5 ? '' : `, eps = ${a.eps}`;
  const head = a.tied ? `${embedding}.weight` : 'lm_head.weight';
  const line = (indent: number, text: string): string => (text === '' ? '' : `${' '.repeat(indent)}${text}\n`);
  const text = [
    `import ${norm}, ${block} from "std"\n\n`,
    `/// ${a.mixer.kind === 'mamba' ? 'Mamba' : 'Mamba-2'}: ${a.layers} layers of width ${a.width}, under the names of ${a.naming}.\n`,
    `model ${choices.name} {\n`,
    line(2, `axis c = ${a.width}`),
    line(2, looksUp || logits ? `axis v = ${a.vocabulary}` : ''), '\n',
    line(2, `/// ${looksUp ? `Token ids, whole numbers from 0 to ${a.vocabulary - 1}, as float32.` : 'Embeddings of tokens.'}`),
    line(2, looksUp ? 'input token[t]' : 'input x[t, c]'),
    line(2, looksUp || (logits && a.tied) ? `param ${embedding}.weight[v, c] = normal(0, 0.02)` : ''),
    line(2, logits && !a.tied ? 'param lm_head.weight[v, c] = normal(0, 0.02)' : ''),
    line(2, looksUp ? `h[t, c] = sum(v: where(v == token[t], ${embedding}.weight[v, c], 0))` : 'h[t, c] = x[t, c]'),
    line(2, `repeat ${a.layers} as layers {`),
    line(4, `u = ${norm}(h${eps}) as norm`),
    line(4, `h = h + ${block}(u, ${optionsOf(a.mixer)}) as mixer`),
    line(2, '}'),
    logits ? line(2, `w = ${norm}(h${eps}) as norm_f`) + line(2, '/// Scores of the token that comes next.') + line(2, `output logits[t, v] = sum(c: ${head}[v, c] * w[t, c])`) : line(2, `output hidden = ${norm}(h${eps}) as norm_f`),
    renames.length === 0 ? '' : `\n${renames.map((r) => line(2, `rename "${r.from}" to "${r.to}"`)).join('')}`,
    '}\n',
  ].join('');
  return { text, renames };
}
function renamesOf(embedding: string, { prefix }: SpecChoices, embeds: boolean): Rename[] {
  if (prefix === '') return [];
  const patterns = [...(embeds ? [`${embedding}.weight`] : []), 'layers.{i}.{part}.{name}', 'layers.{i}.{part}.{layer}.{name}', 'norm_f.{name}'];
  return patterns.map((from) => ({ from, to: `${prefix}${from}` }));
}
function optionsOf(m: Mixer): string {
  const shared = `state = ${m.state}, expand = ${m.expand}, kernel = ${m.kernel}`;
  const biases = `${m.bias ? ', bias = on' : ''}${m.convBias ? '' : ', conv_bias = off'}`;
  if (m.kind === 'mamba') return `${shared}, rank = ${m.rank}${biases}`;
  return `${shared}, headdim = ${m.headSize}, groups = ${m.groups}${m.groups > 1 ? `, norm = ${m.norm}` : ''}${m.eps === 1e-5 ? '' : `, eps = ${m.eps}`}${biases}`;
}
