/** `ssmc verify`: every device against the float64 interpreter. */
import { interpret } from '../interpreter/interpret.js';
import { narrowTypes } from '../runtime/gpu/halves.js';
import { SsmcError } from '../runtime/index.js';
import { build } from './build.js';
import { loadBuilt } from './gpu.js';
import { narrowLimit, roundStored } from './halves.js';
import { help, json, model, storage, storedOf, strategy, type Command } from './command.js';
import { Progress } from './progress.js';
import { randomInputs, randomWeights } from './random-tensors.js';
import { normwise, openTensors, runModel, weightDoubles, type Doubles } from './tensors.js';

/** The tolerance of float32: max|y − y64| / max|y64|. */
export const TOLERANCE = 1e-5;

const devices = ['wasm', 'webgpu', 'cuda'] as const;
/** A device isn't there: no adapter, addon, driver, GPU, new enough driver, or kernels that it takes. */
const absent: ReadonlySet<string> = new Set(['SSM5207', 'SSM5510', 'SSM5511', 'SSM5512', 'SSM5513', 'SSM5514']);

export const verifyCommand: Command = {
  name: 'verify', usage: 'verify SPEC [--weights W]',
  help: `Runs a spec on random inputs on every device, and holds the answers against the float64 interpreter: at most ${TOLERANCE} normwise; with --storage f16 or bf16 at most twice the error of a plain loop that stores so.`,
  options: {
    weights: { type: 'string', value: 'FILE', help: 'parameters (default: initialised at random)' },
    steps: { type: 'string', value: 'N', help: 'length of the sequences (default 50)' },
    batch: { type: 'string', value: 'N', help: 'rows of the batch (default 2)' },
    seed: { type: 'string', value: 'N', help: 'of weights and inputs (default 0)' },
    device: { type: 'string', multiple: true, value: 'NAME', help: 'wasm, webgpu or cuda (default: each that works here)', choices: devices },
    strategy, storage, model, json, help,
  },
  run: async (args, io) => {
    const steps = args.count('steps', 50);
    const batch = args.count('batch', 2);
    const seed = args.count('seed', 0, 0);
    const wanted = args.texts('device');
    const built = build(args, io, { quiet: true, webgpu: wanted.includes('webgpu') || (wanted.length === 0 && 'where-it-fits'), cuda: wanted.length === 0 || wanted.includes('cuda') });
    if (!built) return 1;
    const path = args.text('weights');
    const weights: ReadonlyMap<string, Doubles> = path === undefined ? randomWeights(built.program, seed) : weightDoubles(openTensors(path, 'weights', io), built.module.manifest);
    const inputs = randomInputs(built.module.manifest.inputs, built.program, batch, steps, seed);
    const progress = new Progress(io);
    const reference = interpret(built.program, weights, inputs, { progress: (part) => progress.step('interpreting', part) }).outputs;
    const type = storedOf(args);
    const stored = type && interpret(built.program, weights, inputs, { stored: roundStored(built.program, type), progress: (part) => progress.step(`interpreting, stored as ${narrowTypes[type].name}`, part) }).outputs;
    progress.done();
    const limitOf = (device: string, output: string): number => {
      const loop = device === 'wasm' ? undefined : stored?.get(output);
      return loop && type ? Math.max(TOLERANCE, narrowLimit(normwise(loop.data, reference.get(output)?.data ?? []), type)) : TOLERANCE;
    };
    const rows: { device: string; output: string; error: number; limit: number }[] = [];
    const skipped: { device: string; why: string }[] = [];
    for (const device of devices) {
      if (wanted.length > 0 ? !wanted.includes(device) : device === 'webgpu' && !built.module.webgpu) continue;
      const loaded = await loadBuilt(built.module, { weights: Object.fromEntries(weights), device }).catch((error: unknown) => {
        // Asked for by name it must work; else it is told what is not here.
        if (wanted.length > 0 || !(error instanceof SsmcError) || !absent.has(error.code)) throw error;
        skipped.push({ device, why: error.message });
        return undefined;
      });
      if (!loaded) continue;
      for (const [output, t] of await runModel(loaded, inputs, undefined)) rows.push({ device, output, error: normwise(t.data, reference.get(output)?.data ?? []), limit: limitOf(device, output) });
      loaded.dispose();
    }
    const failed = rows.some((r) => !(r.error <= r.limit));
    if (args.flag('json')) io.out(`${JSON.stringify({ tolerance: TOLERANCE, steps, batch, results: rows, skipped })}\n`);
    else for (const r of rows) io.out(`${r.device}  ${r.output}  ${r.error.toExponential(2)}${stored && r.device !== 'wasm' ? `  (at most ${r.limit.toExponential(2)})` : ''}${r.error <= r.limit ? '' : `  over ${Number(r.limit.toPrecision(3))}`}\n`);
    if (!args.flag('json')) for (const { device, why } of skipped) io.err(`${device} is not verified: ${why}\n`);
    return failed ? 1 : 0;
  },
};
