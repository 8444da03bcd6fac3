/** `ssmc doctor`: which devices work here, tried with a small model held against the interpreter, and why others don't. */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { compile, type CompiledModule } from '../compile.js';
import { initialise } from '../interpreter/initialise.js';
import { interpret } from '../interpreter/interpret.js';
import { loadModel, type LoadOptions, type SsmcError } from '../runtime/index.js';
import type { Gpu } from '../runtime/webgpu/gpu.js';
import { version } from '../version.js';
import { help, json, type Command } from './command.js';
import { deviceSources, nodeGpu } from './gpu.js';
import { standardLibrary, type Io } from './io.js';
import { normwise, runModel, type Doubles } from './tensors.js';
import { TOLERANCE } from './verify.js';

/** One device, or what makes code for one. */
export interface Finding {
  readonly name: string;
  readonly works: boolean;
  /** What it is, or why it doesn't work. */
  readonly what: string;
  /** What would mend it. */
  readonly fix?: string;
  /** max|y − y64| / max|y64| of the probe. */
  readonly error?: number;
  readonly limits?: Readonly<Record<string, number>>;
  readonly features?: readonly string[];
}

export const doctorCommand: Command = {
  name: 'doctor', usage: 'doctor',
  help: 'Says which devices work here, each tried with a small model, and why others do not.',
  options: { json, help },
  run: async (args, io) => {
    args.none();
    const findings = await examine();
    if (args.flag('json')) io.out(`${JSON.stringify({ version, node: process.version, platform: `${process.platform} ${process.arch}`, processors: cpus().length, devices: findings })}\n`);
    else tell(findings, io);
    // Without wasm nothing runs but the interpreter.
    return findings.every((f) => f.works || f.name !== 'wasm') ? 0 : 1;
  },
};

interface Ran {
  readonly error: number;
  readonly relaxed: boolean;
  readonly adapter: string;
}

/** Products, an exponential, a scan: what kernels are made of. */
const probe = `import Mamba from "std"
model Probe {
  axis c = 8
  input x[t, c]
  output y = Mamba(x, state = 4)
}
`;
async function examine(): Promise<Finding[]> {
  const { program, module } = compile('probe.ssm', { read: (p) => (p === 'probe.ssm' ? probe : undefined), std: standardLibrary() }, { specHash: '', relaxed: true, webgpu: true, cuda: true });
  if (!program || !module) throw new Error('the probe does not compile');
  const weights = new Map([...initialise(program, 1)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
  const shape = [1, 40, 8];
  const inputs = new Map([['x', { shape, data: Float64Array.from({ length: 320 }, (_, k) => Math.fround(Math.sin(k))) }]]);
  const reference = interpret(program, weights, inputs).outputs;
  const error = async (given: CompiledModule, options: LoadOptions): Promise<Ran> => {
    const source = { wasm: given.wasm, ...(given.relaxed ? { relaxed: given.relaxed } : {}), devices: deviceSources(given) };
    const model = await loadModel(given.manifest, source, { ...options, weights: Object.fromEntries(weights) });
    const out = await runModel(model, inputs, undefined);
    const relaxed = model.device.relaxed === true;
    const { adapter = '' } = model.device;
    model.dispose();
    return { error: worst(out, reference), relaxed, adapter };
  };
  const { relaxed: _, ...plain } = module;
  return [
    { name: 'interpreter', works: true, what: 'float64 loops: what every device is held against' },
    await wasm(() => error(plain, { device: 'wasm' })),
    await relaxed(() => error(module, { device: 'wasm' })),
    await gpu((from) => error(module, { device: 'webgpu', gpu: from })),
    await onCuda(() => error(module, { device: 'cuda' })),
    nvcc(),
  ];
}
function worst(out: ReadonlyMap<string, { readonly data: Float32Array }>, reference: ReadonlyMap<string, Doubles>): number {
  return Math.max(...[...reference].map(([name, t]) => normwise(out.get(name)?.data ?? [], t.data)));
}
const words = (error: unknown): string => (error instanceof Error ? error.message : String(error)).replace(/^SSM\d{4}: /, '').split('\n')[0] as string;
/** It ran; it works where its answer is right. */
const ran = (name: string, what: string, error: number): Finding => (error <= TOLERANCE ? { name, works: true, what, error } : { name, works: false, what: `it runs, but errs by ${error.toExponential(1)} of ${TOLERANCE}: please report it`, error });

async function wasm(run: () => Promise<{ error: number }>): Promise<Finding> {
  try {
    return ran('wasm', 'WebAssembly with 128-bit SIMD', (await run()).error);
  } catch (error) {
    return { name: 'wasm', works: false, what: words(error) };
  }
}
async function relaxed(run: () => Promise<{ error: number; relaxed: boolean }>): Promise<Finding> {
  const name = 'wasm, relaxed SIMD';
  try {
    const found = await run();
    if (found.relaxed) return ran(name, 'taken where a model is compiled with --relaxed', found.error);
    return { name, works: false, what: `this engine (V8 ${process.versions['v8'] ?? ''}) has no relaxed SIMD; the plain build is taken`, fix: 'node --experimental-wasm-relaxed-simd, or Node 22 and later' };
  } catch (error) {
    return { name, works: false, what: words(error) };
  }
}
interface Described {
  readonly info?: { readonly vendor?: string; readonly architecture?: string; readonly device?: string; readonly description?: string; readonly isFallbackAdapter?: boolean };
  readonly limits: Readonly<Record<string, number>>;
  readonly features: Iterable<string>;
}
/** What a model may run into. */
const limitNames = ['maxStorageBufferBindingSize', 'maxBufferSize', 'maxStorageBuffersPerShaderStage', 'maxComputeWorkgroupStorageSize', 'maxComputeInvocationsPerWorkgroup', 'maxComputeWorkgroupsPerDimension'];
/** Features that kernels may use or that time them; the others are for drawing, and stand in `--json`. */
const computes = /^(shader-f16|subgroups|timestamp-query)$/;
async function gpu(run: (from: object) => Promise<{ error: number }>): Promise<Finding> {
  const name = 'webgpu';
  const from = await nodeGpu();
  if (!from) return { name, works: false, what: 'the package `webgpu`, which brings WebGPU to Node, is not installed here; browsers have their own', fix: 'npm install webgpu' };
  try {
    const adapter = (await (from as Gpu).requestAdapter({ powerPreference: 'high-performance' })) as unknown as Described | null;
    if (!adapter) return { name, works: false, what: 'no adapter: there is no graphics device or no driver for it', ...(process.platform === 'linux' ? { fix: 'install a Vulkan driver, or point VK_DRIVER_FILES at one' } : {}) };
    const { info = {} } = adapter;
    const what = [info.vendor, info.architecture, info.device, info.description].filter((x) => x !== undefined && x !== '').join(' ') || 'an adapter without a name';
    const cpu = info.isFallbackAdapter ? '; a CPU that plays a GPU: `auto` takes wasm instead' : '';
    const limits = Object.fromEntries(limitNames.map((n) => [n, adapter.limits[n] ?? 0]));
    return { ...ran(name, `${what}${cpu}`, (await run(from)).error), limits, features: [...adapter.features].sort() };
  } catch (error) {
    return { name, works: false, what: words(error) };
  }
}
const cudaFixes: Readonly<Record<string, string>> = {
  SSM5510: 'npm run build:cuda, in the package', SSM5511: 'install NVIDIA\'s driver; SSMC_CUDA_DRIVER names libcuda where it lies elsewhere', SSM5513: 'install a newer driver',
  SSM5514: 'install the CUDA toolkit, for nvcc or NVRTC; SSMC_NVRTC names libnvrtc where it lies elsewhere',
};
async function onCuda(run: () => Promise<Ran>): Promise<Finding> {
  try {
    const { error, adapter } = await run();
    return ran('cuda', adapter, error);
  } catch (error) {
    const fix = cudaFixes[String((error as Partial<SsmcError>).code)];
    return { name: 'cuda', works: false, what: words(error), ...(fix === undefined ? {} : { fix }) };
  }
}
/** Kernels for CUDA are compiled by nvcc; it is no device. */
function nvcc(): Finding {
  const { status, stdout } = spawnSync('nvcc', ['--version'], { encoding: 'utf8' });
  if (status !== 0) return { name: 'nvcc', works: false, what: 'not on the path: `compile --target cuda` writes the source alone', fix: 'install the CUDA toolkit' };
  return { name: 'nvcc', works: true, what: /release [\d.]+/.exec(stdout)?.[0] ?? 'of an unknown release' };
}

function tell(findings: readonly Finding[], io: Io): void {
  io.out(`ssmc ${version}, Node ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} processors\n\n`);
  const wide = Math.max(...findings.map((f) => f.name.length));
  for (const f of findings) {
    io.out(`${f.works ? '✓' : '✗'} ${f.name.padEnd(wide)}  ${f.what}${f.error === undefined || !f.works ? '' : ` (error ${f.error.toExponential(1)})`}\n`);
    const more = [
      ...(f.fix === undefined ? [] : [`to have it: ${f.fix}`]),
      ...(f.limits ? [Object.entries(f.limits).map(([n, v]) => `${n} ${v}`).join(', ')] : []),
      ...(f.features ? [`features for kernels: ${f.features.filter((name) => computes.test(name)).join(', ') || 'none'}`] : []),
    ];
    for (const line of more) io.out(`  ${' '.repeat(wide)}  ${line}\n`);
  }
}
