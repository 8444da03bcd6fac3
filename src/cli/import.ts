/** `ssmc import`: a checkpoint of Mamba or Mamba-2, as transformers or mamba_ssm saved it, to a spec that binds it as it is. */
import { existsSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { check } from '../check/index.js';
import { nearest } from '../check/names.js';
import { ConfigError, parseConfig, readArchitecture, type Architecture } from '../checkpoint/architecture.js';
import { specOf } from '../checkpoint/spec.js';
import { Diagnostics } from '../diagnostics/diagnostic.js';
import { Builder } from '../ir/builder.js';
import type { SafetensorsFile } from '../runtime/index.js';
import { help, json, type Command } from './command.js';
import { InputFault, readBytes, standardLibrary, UsageError, type Io } from './io.js';
import { tensorsOf, wantedKind, weightProblems } from './tensors.js';

export const importCommand: Command = {
  name: 'import', usage: 'import CHECKPOINT.safetensors [--config F] [-o SPEC]',
  help: "Writes the spec of a Mamba or Mamba-2 checkpoint of Hugging Face's or mamba_ssm's, under its own names. Of one in parts, give model.safetensors.index.json. It runs nothing of the checkpoint.",
  options: {
    config: { type: 'string', value: 'FILE', help: 'its config.json (default: the one beside it)' },
    out: { type: 'string', short: 'o', value: 'SPEC', help: "where to write (default: the model's name in lower case, here)" },
    name: { type: 'string', value: 'NAME', help: "the model's name (default: MambaLm or Mamba2Lm)" },
    input: { type: 'string', value: 'WHAT', help: 'tokens (default: ids, looked up in the embedding), or embeddings [batch, time, width]', choices: ['tokens', 'embeddings'] },
    output: { type: 'string', value: 'WHAT', help: 'logits (default, where the checkpoint has a head), or hidden: what a head is given', choices: ['logits', 'hidden'] },
    force: { type: 'boolean', help: 'replace a spec that is there' },
    json, help,
  },
  run: (args, io) => {
    const [path, ...more] = args.positionals;
    if (path === undefined) throw new UsageError('which checkpoint?');
    if (more.length > 0) throw new UsageError(`one checkpoint, not ${args.positionals.length}`);
    const file = openCheckpoint(path, io);
    const architecture = openConfig(args.text('config') ?? join(dirname(path), 'config.json'), io);
    const name = args.text('name') ?? (architecture.mixer.kind === 'mamba' ? 'MambaLm' : 'Mamba2Lm');
    if (!/^[A-Za-z_]\w*$/.test(name)) throw new UsageError(`--name takes letters, digits and _, not \`${name}\``);
    const prefix = file.names.some((n) => n.startsWith('backbone.')) ? 'backbone.' : '';
    const hasHead = architecture.tied || file.has('lm_head.weight');
    const output = args.text('output') ?? (hasHead ? 'logits' : 'hidden');
    const { text, renames } = specOf(architecture, { name, prefix, input: (args.text('input') ?? 'tokens') as 'tokens' | 'embeddings', output: output as 'logits' | 'hidden' });
    const found = compare(text, file, architecture);
    const out = resolve(io.cwd, args.text('out') ?? `${name.toLowerCase()}.ssm`);
    if (existsSync(out) && !args.flag('force')) throw new InputFault(`\`${args.text('out') ?? basename(out)}\` is there already; --force replaces it`);
    writeFileSync(out, text);
    if (args.flag('json')) io.out(`${JSON.stringify({ spec: out, architecture, renames, ...found })}\n`);
    else tell(found, out, renames, io);
    return found.missing.length + found.wrong.length + found.kinds.length > 0 ? 1 : 0;
  },
};

/** @throws InputFault for a pickle, which could run any program, with how to convert it. */
function openCheckpoint(path: string, io: Io): SafetensorsFile {
  if (path.endsWith('.bin.index.json')) throw new InputFault(`the parts of \`${path}\` are pickles, which may run any program when they are read. Convert them where PyTorch is:\n${convertParts(path)}`);
  const bytes = readBytes(path, 'checkpoint', io);
  // A pickle begins with its protocol, or lies in a zip file.
  const pickled = /\.(bin|pt|pth|pkl|ckpt)$/.test(path) || (bytes[0] === 0x80 && (bytes[1] ?? 9) <= 5) || (bytes[0] === 0x50 && bytes[1] === 0x4b);
  if (pickled) throw new InputFault(`\`${path}\` is a pickle, which may run any program when it is read. Convert it where PyTorch is:\n${convertPickle(path)}`);
  return tensorsOf(bytes, path, 'checkpoint', io);
}
const python = (text: string): string => JSON.stringify(text);
const convertPickle = (path: string): string => `  import torch, safetensors.torch
  state = torch.load(${python(path)}, map_location="cpu", weights_only=True)
  safetensors.torch.save_file({n: t.clone().contiguous() for n, t in state.items()}, "model.safetensors")`;
const convertParts = (path: string): string => `  import json, os, torch, safetensors.torch
  folder, parts = ${python(dirname(path))}, set(json.load(open(${python(path)}))["weight_map"].values())
  state = {n: t for p in parts for n, t in torch.load(os.path.join(folder, p), map_location="cpu", weights_only=True).items()}
  safetensors.torch.save_file({n: t.clone().contiguous() for n, t in state.items()}, "model.safetensors")`;

function openConfig(path: string, io: Io): Architecture {
  const text = new TextDecoder().decode(readBytes(path, 'config', io));
  try {
    return readArchitecture(parseConfig(text));
  } catch (error) {
    if (error instanceof ConfigError) throw new InputFault(`\`${path}\` can't be imported:\n${error.faults.map((f) => `  ${f}`).join('\n')}`);
    throw new InputFault(`\`${path}\` is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

interface Comparison {
  readonly matched: number;
  readonly missing: readonly { readonly name: string; readonly shape: readonly number[]; readonly nearest: string | null }[];
  readonly wrong: readonly { readonly name: string; readonly want: readonly number[]; readonly got: readonly number[] }[];
  readonly kinds: readonly { readonly name: string; readonly dtype: string }[];
  /** Tensors of the checkpoint that the spec has no use for, and why where it is known. */
  readonly unused: readonly { readonly name: string; readonly shape: readonly number[]; readonly why: string | null; readonly nearest: string | null }[];
}
/** What the spec asks for, held against what the checkpoint has. */
function compare(text: string, file: SafetensorsFile, { tied }: Architecture): Comparison {
  const diagnostics = new Diagnostics();
  const { program } = check('spec.ssm', { read: (p) => (p === 'spec.ssm' ? text : undefined), std: standardLibrary() }, new Builder(), diagnostics);
  // What a config says can make sizes that the language refuses: that is the config's fault.
  if (!program) throw new InputFault(`the config makes no model: ${diagnostics.list.map((d) => `${d.code}: ${d.text}`).join('; ')}`);
  const weights = program.definitions.flatMap((d) => (d.kind === 'param' ? d.pieces : []));
  const wanted = new Set(weights.map((w) => w.name));
  const spare = file.names.filter((n) => !wanted.has(n));
  const { missing, wrong, kinds } = weightProblems(file, { weights });
  const lost = missing.map((w) => w.name);
  return {
    matched: weights.length - missing.length - new Set([...wrong, ...kinds].map((w) => w.name)).size,
    kinds: kinds.map((w) => ({ name: w.name, dtype: w.dtype })),
    missing: missing.map((w) => ({ name: w.name, shape: w.shape, nearest: nearest(w.name, spare) ?? null })),
    wrong: wrong.map((w) => ({ name: w.name, want: w.shape, got: w.got })),
    unused: spare.map((n) => ({ name: n, shape: file.tensor(n).shape, why: tied && n === 'lm_head.weight' ? 'the embedding again, by the config' : null, nearest: nearest(n, lost) ?? null })),
  };
}
function tell({ matched, missing, wrong, kinds, unused }: Comparison, out: string, renames: readonly { readonly from: string; readonly to: string }[], io: Io): void {
  const near = (n: string | null): string => (n === null ? '' : `; nearest: ${n}`);
  for (const r of renames) io.out(`rename ${r.from} to ${r.to}\n`);
  for (const m of missing) io.out(`missing ${m.name} [${m.shape.join(', ')}]${near(m.nearest)}\n`);
  for (const w of wrong) io.out(`shape of ${w.name}: expected [${w.want.join(', ')}] by the config, got [${w.got.join(', ')}]\n`);
  for (const k of kinds) io.out(`${k.name}: ${wantedKind}, got ${k.dtype}\n`);
  for (const u of unused) io.out(`not used: ${u.name} [${u.shape.join(', ')}]${u.why === null ? near(u.nearest) : ` (${u.why})`}\n`);
  io.err(`${out}: ${matched} tensors match${missing.length + wrong.length > 0 ? `, ${missing.length} are missing, ${wrong.length} have another shape` : ''}\n`);
}
