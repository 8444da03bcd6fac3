/**
 * What a checkpoint's config.json says of its model, in the words of transformers (MambaConfig, Mamba2Config) or of mamba_ssm
 * (MambaConfig, its ssm_cfg). What the standard library's blocks can't do is refused here by name. It reads no tensor.
 */

interface MixerSizes {
  readonly state: number;
  readonly expand: number;
  readonly kernel: number;
  /** Of the first and last projection. */
  readonly bias: boolean;
  readonly convBias: boolean;
}
/** The mixer of each layer. */
export type Mixer =
  | MixerSizes & { readonly kind: 'mamba'; readonly rank: number }
  | MixerSizes & { readonly kind: 'mamba2'; readonly headSize: number; readonly groups: number; readonly norm: 'grouped' | 'whole'; readonly eps: number };
export interface Architecture {
  /** Whose names and habits: Hugging Face's transformers, or mamba_ssm. */
  readonly naming: 'transformers' | 'mamba_ssm';
  readonly width: number;
  readonly layers: number;
  readonly vocabulary: number;
  readonly norm: 'rms' | 'layer';
  readonly eps: number;
  /** The head's weights are the embedding's. */
  readonly tied: boolean;
  readonly mixer: Mixer;
}
/** The config is no object of numbers, lacks what is needed, or asks for what can't be done: one sentence for each. */
export class ConfigError extends Error {
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** @throws ConfigError with all that is wrong. */
export function readArchitecture(config: unknown): Architecture {
  const keys = new Keys(config);
  const found = keys.has('d_model') ? fromMambaSsm(keys) : fromTransformers(keys);
  if (keys.faults.length > 0) throw new ConfigError(keys.faults);
  return found;
}

/** Reads keys, and remembers what is wrong with them. */
class Keys {
  readonly #of: Readonly<Record<string, unknown>>;
  readonly faults: string[];
  readonly #path: string;
  constructor(of: unknown, path = '', faults: string[] = []) {
    this.faults = faults;
    this.#path = path;
    this.#of = typeof of === 'object' && of !== null && !Array.isArray(of) ? (of as Readonly<Record<string, unknown>>) : {};
    if (Object(this.#of) !== of && of !== undefined) faults.push(`${path === '' ? 'the config' : `\`${path.slice(0, -1)}\``} is not an object`);
  }
  /** Present, and not null: both frameworks write null for "as usual". */
  has(key: string): boolean {
    return this.#of[key] !== undefined && this.#of[key] !== null;
  }
  sub(key: string): Keys {
    return new Keys(this.has(key) ? this.#of[key] : undefined, `${this.#path}${key}.`, this.faults);
  }
  whole(key: string, fallback?: number): number {
    return this.#number(key, fallback, (n) => Number.isInteger(n) && n > 0, 'a whole number from 1');
  }
  positive(key: string, fallback?: number): number {
    return this.#number(key, fallback, (n) => n > 0, 'a number above 0');
  }
  #number(key: string, fallback: number | undefined, fine: (n: number) => boolean, want: string): number {
    const v = this.has(key) ? this.#of[key] : fallback;
    if (typeof v === 'number' && fine(v)) return v;
    this.faults.push(v === undefined ? `the config lacks \`${this.#path}${key}\`` : `\`${this.#path}${key}\` is ${JSON.stringify(v)}; expected ${want}`);
    return 1;
  }
  flag(key: string, fallback: boolean): boolean {
    return this.has(key) ? this.#of[key] === true : fallback;
  }
  text(key: string): string | undefined {
    const v = this.#of[key];
    return typeof v === 'string' ? v : undefined;
  }
  /** Only this can be done. */
  demand(key: string, want: unknown, why: string): void {
    if (this.has(key) && JSON.stringify(this.#of[key]) !== JSON.stringify(want)) this.faults.push(`\`${this.#path}${key}\` is ${JSON.stringify(this.#of[key])}: ${why}`);
  }
}

function fromTransformers(keys: Keys): Architecture {
  const type = keys.text('model_type') ?? (keys.has('num_heads') || keys.has('head_dim') ? 'mamba2' : 'mamba');
  if (type !== 'mamba' && type !== 'mamba2') keys.faults.push(`\`model_type\` is "${type}": mamba and mamba2 can be imported`);
  const width = keys.whole('hidden_size');
  const expand = keys.positive('expand', 2);
  const activation = keys.text('hidden_act') ?? 'silu';
  if (activation !== 'silu' && activation !== 'swish') keys.faults.push(`\`hidden_act\` is "${activation}": the blocks use silu`);
  const shared = {
    state: keys.whole('state_size', type === 'mamba2' ? 128 : 16), expand, kernel: keys.whole('conv_kernel', 4), bias: keys.flag('use_bias', false), convBias: keys.flag('use_conv_bias', true),
  };
  const common = {
    naming: 'transformers' as const, width, layers: keys.whole('num_hidden_layers'), vocabulary: keys.whole('vocab_size'), norm: 'rms' as const,
    eps: keys.positive('layer_norm_epsilon', 1e-5), tied: keys.flag('tie_word_embeddings', type === 'mamba'),
  };
  if (type !== 'mamba2') {
    const rank = keys.text('time_step_rank') === 'auto' ? Math.ceil(width / 16) : keys.whole('time_step_rank', Math.ceil(width / 16));
    return { ...common, mixer: { kind: 'mamba', ...shared, rank } };
  }
  demandSteps(keys, 'time_step_limit');
  const headSize = keys.whole('head_dim', 64);
  const heads = keys.whole('num_heads', (expand * width) / headSize);
  if (heads * headSize !== expand * width) keys.faults.push(`\`num_heads\` is ${heads}: of ${headSize} channels each they are not the ${expand * width} of \`expand\` times \`hidden_size\``);
  // transformers normalises all channels together, whatever the groups.
  return { ...common, mixer: { kind: 'mamba2', ...shared, headSize, groups: keys.whole('n_groups', 8), norm: 'whole', eps: common.eps } };
}
function fromMambaSsm(keys: Keys): Architecture {
  const width = keys.whole('d_model');
  const ssm = keys.sub('ssm_cfg');
  const layer = ssm.text('layer') ?? 'Mamba1';
  if (layer !== 'Mamba1' && layer !== 'Mamba2') keys.faults.push(`\`ssm_cfg.layer\` is "${layer}": Mamba1 and Mamba2 can be imported`);
  keys.demand('attn_layer_idx', [], 'layers of attention are not imported');
  keys.demand('d_intermediate', 0, 'layers with an MLP are not imported');
  const expand = ssm.positive('expand', 2);
  const shared = { state: ssm.whole('d_state', layer === 'Mamba2' ? 128 : 16), expand, kernel: ssm.whole('d_conv', 4), bias: ssm.flag('bias', false), convBias: ssm.flag('conv_bias', true) };
  // The embedding's rows are filled up to a multiple of this.
  const multiple = keys.whole('pad_vocab_size_multiple', 8);
  const common = {
    naming: 'mamba_ssm' as const, width, layers: keys.whole('n_layer'), vocabulary: Math.ceil(keys.whole('vocab_size') / multiple) * multiple,
    norm: keys.flag('rms_norm', true) ? 'rms' as const : 'layer' as const, eps: keys.positive('norm_epsilon', 1e-5), tied: keys.flag('tie_embeddings', true),
  };
  if (layer !== 'Mamba2') {
    const rank = ssm.text('dt_rank') === 'auto' ? Math.ceil(width / 16) : ssm.whole('dt_rank', Math.ceil(width / 16));
    return { ...common, mixer: { kind: 'mamba', ...shared, rank } };
  }
  demandSteps(ssm, 'dt_limit');
  ssm.demand('rmsnorm', true, 'the block normalises before its last projection');
  ssm.demand('norm_before_gate', false, 'the block gates before it normalises');
  ssm.demand('D_has_hdim', false, 'the block has one D for each head');
  ssm.demand('d_ssm', expand * width, 'all channels go through the recurrence');
  return { ...common, mixer: { kind: 'mamba2', ...shared, headSize: ssm.whole('headdim', 64), groups: ssm.whole('ngroups', 1), norm: 'grouped', eps: 1e-5 } };
}
/** From 0 to infinity, which `parseConfig` makes null. */
const demandSteps = (keys: Keys, key: string): void => keys.demand(key, [0, null], 'the step dt is not clamped here');
/** Python writes Infinity and NaN, which JSON has no words for: null. */
export const parseConfig = (text: string): unknown => JSON.parse(text.replace(/(?<=[[:,]\s*)-?(?:Infinity|NaN)(?=\s*[\],}])/g, 'null')) as unknown;
