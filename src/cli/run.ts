/** `ssmc run`: a model on tensors of a file, without writing code. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { interpret } from '../interpreter/interpret.js';
import { writeSafetensors, type WritableTensor } from '../runtime/index.js';
import { build } from './build.js';
import { loadBuilt } from './gpu.js';
import { help, json, model, storage, storedOf, strategy, type Command } from './command.js';
import { InputFault, UsageError } from './io.js';
import { Progress } from './progress.js';
import { inputDoubles, openTensors, runModel, weightDoubles } from './tensors.js';

export const runCommand: Command = {
  name: 'run', usage: 'run SPEC --weights W --input X --output Y',
  help: 'Runs a model: inputs are float32 tensors [batch, time, features] of a safetensors file, by name; outputs are written to another.',
  options: {
    weights: { type: 'string', value: 'FILE', help: 'safetensors file of the parameters' },
    input: { type: 'string', value: 'FILE', help: 'safetensors file of the inputs' },
    output: { type: 'string', value: 'FILE', help: 'safetensors file to write' },
    device: { type: 'string', value: 'NAME', help: 'auto (default: the first of the others that works), cuda, webgpu, wasm, or interpreter: float64, slow, the meaning itself', choices: ['auto', 'cuda', 'webgpu', 'wasm', 'interpreter'] },
    trace: { type: 'string', multiple: true, value: 'PATH', help: 'also a definition or state, by its path (interpreter only)' },
    lengths: { type: 'string', value: 'N,N,…', help: 'steps of each row of the batch' },
    finite: { type: 'boolean', help: 'refuse inputs that hold NaN or infinities' },
    relaxed: { type: 'boolean', help: 'relaxed SIMD, where the engine has it' },
    strategy, storage, model, json, help,
  },
  run: async (args, io) => {
    for (const need of ['input', 'output'] as const) if (args.text(need) === undefined) throw new UsageError(`--${need} is missing`);
    const device = args.text('device') ?? 'auto';
    if (args.texts('trace').length > 0 && device !== 'interpreter') throw new UsageError('--trace needs --device interpreter');
    const stored = storedOf(args);
    if (stored && !['auto', 'cuda', 'webgpu'].includes(device)) throw new UsageError(`--storage ${stored} is for --device webgpu or cuda`);
    const built = build(args, io, { relaxed: args.flag('relaxed'), quiet: true, webgpu: device === 'webgpu' ? true : device === 'auto' && 'where-it-fits', cuda: device === 'cuda' || device === 'auto' });
    if (!built) return 1;
    const { manifest } = built.module;
    const weightsPath = args.text('weights');
    if (weightsPath === undefined && manifest.weights.length > 0) throw new InputFault(`the model has ${manifest.weights.length} parameters: give --weights, or make some with \`ssmc weights ${args.spec()} --init 0 --out weights.safetensors\``);
    const weights = weightsPath === undefined ? undefined : openTensors(weightsPath, 'weights', io);
    const inputs = inputDoubles(openTensors(args.text('input') as string, 'inputs', io), built.program);
    const lengths = lengthsOf(args.text('lengths'));
    const out = new Map<string, WritableTensor>();
    // The runtime's checks of weights and inputs hold for every device.
    const loaded = await loadBuilt(built.module, { ...(weights ? { weights } : {}), finite: args.flag('finite'), device: device === 'interpreter' ? 'wasm' : (device as 'auto' | 'cuda' | 'webgpu' | 'wasm') });
    if (device === 'interpreter') {
      const progress = new Progress(io);
      const result = interpret(built.program, weights ? weightDoubles(weights, manifest) : new Map(), inputs, { ...(lengths ? { lengths } : {}), trace: args.texts('trace'), progress: (part) => progress.step('interpreting', part) });
      progress.done();
      for (const [name, t] of result.outputs) out.set(name, t);
      for (const [name, t] of result.traces) out.set(name, t);
    } else for (const [name, t] of await runModel(loaded, inputs, lengths)) out.set(name, t);
    loaded.dispose();
    writeFileSync(resolve(io.cwd, args.text('output') as string), writeSafetensors(out));
    if (args.flag('json')) io.out(`${JSON.stringify({ ...(device === 'interpreter' ? { device } : { device: loaded.device.name, passedOver: loaded.device.passedOver }), outputs: Object.fromEntries([...out].map(([n, t]) => [n, t.shape])) })}\n`);
    return 0;
  },
};
function lengthsOf(text: string | undefined): number[] | undefined {
  const lengths = text?.split(',').map((n) => (/^\s*\d+\s*$/.test(n) ? Number(n) : NaN));
  if (lengths?.some(Number.isNaN)) throw new UsageError(`--lengths takes whole numbers between commas, not \`${text}\``);
  return lengths;
}
