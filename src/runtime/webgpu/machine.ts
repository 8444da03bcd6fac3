/** Commands on WebGPU: passes, parameter blocks and bind groups; what is read comes through one buffer that is mapped. */
import { reason } from '../errors.js';
import type { GpuPlan, Manifest } from '../manifest.js';
import { groupsOf } from '../gpu/arrangement.js';
import { gpuFailure } from '../gpu/errors.js';
import type { Frame } from '../gpu/frame.js';
import type { Command, Equipment, KernelLaunch, Machine } from '../gpu/machine.js';
import type { Connection } from './connection.js';
import { FOLD, MAP_READ, usage, type GpuBuffer, type GpuEncoder, type GpuPass, type GpuPipeline } from './gpu.js';

/** Uniform blocks are bound at multiples of this. */
const ALIGN = 256;
const HEAD = 5;

export interface Kernels {
  readonly manifest: Manifest;
  readonly plan: GpuPlan;
  readonly wgsl: string;
}
type Pipelines = ReadonlyMap<string, GpuPipeline>;

export class WebgpuMachine implements Machine<GpuBuffer> {
  readonly name = 'webgpu';
  readonly #connection: Connection;
  readonly #kernels: Kernels;
  readonly #pipelines: Pipelines;
  readonly #equipped = new Map<Frame<GpuBuffer>, Bindings>();
  #read: GpuBuffer | undefined;
  /** When the first command since `finished` was handed over. */
  #began: number | undefined;

  private constructor(connection: Connection, kernels: Kernels, pipelines: Pipelines) {
    this.#connection = connection;
    this.#kernels = kernels;
    this.#pipelines = pipelines;
  }
  /** All kernels compiled. @throws DeviceError SSM5501 to SSM5503. */
  static async open(connection: Connection, kernels: Kernels): Promise<WebgpuMachine> {
    return new WebgpuMachine(connection, kernels, await compile(connection, kernels));
  }
  get adapter(): string {
    return this.#connection.adapter;
  }
  get features(): readonly string[] {
    return this.#connection.features;
  }
  get isLost(): boolean {
    return this.#connection.isLost;
  }
  get bytes(): number {
    return this.#connection.bytes;
  }
  get mostBytes(): number {
    const { maxStorageBufferBindingSize, maxBufferSize } = this.#connection.device.limits;
    return Math.min(maxStorageBufferBindingSize, maxBufferSize);
  }
  allocate(name: string, bytes: number): Promise<GpuBuffer> {
    return this.#connection.buffer(name, bytes, usage.storage | usage.copySource | usage.copyTarget);
  }
  free(buffer: GpuBuffer): void {
    this.#connection.free(buffer);
  }
  async equip(frame: Frame<GpuBuffer>): Promise<Equipment<GpuBuffer>> {
    const parameters = await this.#connection.buffer('parameters', Math.max(ALIGN, parameterPlaces(frame.launches).bytes), usage.uniform | usage.copyTarget);
    const made = new Bindings(this.#connection, this.#kernels.plan, frame, parameters, this.#pipelines);
    this.#equipped.set(frame, made);
    return {
      prepare: (steps) => made.prepare(steps),
      dispose: () => {
        this.#equipped.delete(frame);
        this.free(parameters);
      },
    };
  }
  async submit(commands: readonly Command<GpuBuffer>[]): Promise<void> {
    const { device } = this.#connection;
    this.#began ??= performance.now();
    await this.#connection.scoped(this.#kernels.manifest.model, 0, () => {
      let encoder: GpuEncoder | undefined;
      let pass: GpuPass | undefined;
      const record = (): GpuEncoder => {
        pass?.end();
        pass = undefined;
        return (encoder ??= device.createCommandEncoder());
      };
      const flush = (): void => {
        if (encoder) device.queue.submit([record().finish()]);
        encoder = undefined;
      };
      for (const c of commands) {
        switch (c.kind) {
          case 'clear': record().clearBuffer(c.buffer, 0, c.bytes); break;
          case 'write':
            // A write comes before whatever is submitted later, so what was only recorded goes first.
            flush();
            device.queue.writeBuffer(c.buffer, c.offset, c.data);
            break;
          case 'copy': record().copyBufferToBuffer(c.from, c.offset, c.to, c.into, c.bytes); break;
          case 'read': record().copyBufferToBuffer(c.from, c.offset, this.#read as GpuBuffer, c.into, c.bytes); break;
          case 'launch':
            pass ??= record().beginComputePass();
            this.#equipped.get(c.frame)?.dispatch(pass, c.launch, c.steps, c.half);
            break;
        }
      }
      flush();
    });
  }
  async finished(): Promise<readonly number[]> {
    await this.#connection.wait(this.#connection.device.queue.onSubmittedWorkDone());
    const began = this.#began ?? performance.now();
    this.#began = undefined;
    return [performance.now() - began];
  }
  async settle(): Promise<readonly number[]> {
    // Buffers may go while what was submitted still uses them.
    return [];
  }
  async reserve(bytes: number): Promise<void> {
    if (this.#read && this.#read.size >= bytes) return;
    if (this.#read) this.free(this.#read);
    this.#read = undefined;
    this.#read = await this.#connection.buffer('outputs', Math.max(bytes, 1024), usage.mapRead | usage.copyTarget);
  }
  async fetch(bytes: number): Promise<Float32Array> {
    const read = this.#read as GpuBuffer;
    await this.#connection.wait(read.mapAsync(MAP_READ, 0, bytes));
    this.#began = undefined;
    return new Float32Array(read.getMappedRange(0, bytes));
  }
  release(): void {
    this.#read?.unmap();
  }
  dispose(): void {
    this.#connection.dispose();
  }
}

/** Where a launch's parameters lie among all of a frame, in bytes. */
interface Parameters {
  readonly offset: number;
  readonly size: number;
}
function parameterPlaces(launches: readonly KernelLaunch[]): { readonly places: ReadonlyMap<KernelLaunch, Parameters>; readonly bytes: number } {
  const places = new Map<KernelLaunch, Parameters>();
  let bytes = 0;
  for (const l of launches) {
    const size = Math.ceil((HEAD + l.arguments.filter((a) => 'buffer' in a).length) / 4) * 16;
    places.set(l, { offset: bytes, size });
    bytes += ALIGN * Math.ceil(size / ALIGN);
  }
  return { places, bytes };
}
/** The parameters and bindings of every launch on a frame. */
class Bindings {
  readonly #connection: Connection;
  readonly #plan: GpuPlan;
  readonly #frame: Frame<GpuBuffer>;
  readonly #parameters: GpuBuffer;
  readonly #pipelines: Pipelines;
  readonly #places: ReadonlyMap<KernelLaunch, Parameters>;
  readonly #groups = new Map<string, object>();
  #written = -1;

  constructor(connection: Connection, plan: GpuPlan, frame: Frame<GpuBuffer>, parameters: GpuBuffer, pipelines: Pipelines) {
    this.#connection = connection;
    this.#plan = plan;
    this.#frame = frame;
    this.#parameters = parameters;
    this.#pipelines = pipelines;
    this.#places = parameterPlaces(frame.launches).places;
  }
  prepare(steps: number): readonly Command<GpuBuffer>[] {
    if (this.#written === steps) return [];
    this.#written = steps;
    const { batch, launches, arrangement } = this.#frame;
    const words = new Int32Array(this.#parameters.size / 4);
    const floats = new Float32Array(words.buffer);
    for (const l of launches) {
      const at = (this.#places.get(l) as Parameters).offset / 4;
      words.set([batch, steps, batch * steps, groupsOf(l, batch, steps)], at);
      floats[at + HEAD - 1] = Infinity;
      let field = at + HEAD;
      for (const a of l.arguments) if ('buffer' in a) words[field++] = arrangement.offsets[a.buffer] as number;
    }
    return [{ kind: 'write', buffer: this.#parameters, offset: 0, data: words }];
  }
  dispatch(pass: GpuPass, launch: KernelLaunch, steps: number, half: number): void {
    const { batch } = this.#frame;
    const groups = groupsOf(launch, batch, steps);
    pass.setPipeline(this.#pipelines.get(this.#entry(launch).entry) as GpuPipeline);
    pass.setBindGroup(0, this.#bindings(launch, half));
    pass.dispatchWorkgroups(Math.min(groups, FOLD), Math.ceil(groups / FOLD), launch.grid?.batches === 'B' ? batch : 1);
  }
  #entry(l: KernelLaunch): GpuPlan['entries'][string] {
    return this.#plan.entries[l.entry] as GpuPlan['entries'][string];
  }
  #bindings(l: KernelLaunch, half: number): object {
    const index = this.#frame.launches.indexOf(l);
    const key = `${index}/${half}`;
    const known = this.#groups.get(key);
    if (known) return known;
    const { entry, arenas, lengths } = this.#entry(l);
    const made = this.#connection.device.createBindGroup({
      layout: (this.#pipelines.get(entry) as GpuPipeline).getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer: this.#parameters, ...(this.#places.get(l) as Parameters) } },
        ...(lengths ? [{ binding: 1, resource: { buffer: this.#frame.lengths } }] : []),
        ...arenas.map((a, k) => ({ binding: 2 + k, resource: { buffer: this.#frame.arena(a, half) } })),
      ],
    });
    this.#groups.set(key, made);
    return made;
  }
}

/** All pipelines at once: drivers compile them in parallel. @throws DeviceError SSM5503 with the compiler's words. */
async function compile(connection: Connection, { manifest, plan, wgsl }: Kernels): Promise<Map<string, GpuPipeline>> {
  const used = new Set([...manifest.begin, ...manifest.step, ...manifest.finish].flatMap((l) => (l.kind === 'kernel' ? [plan.entries[l.entry]?.entry ?? l.entry] : [])));
  return connection.scoped('pipelines', 0, async () => {
    const module = connection.device.createShaderModule({ code: wgsl, label: manifest.model });
    const pipelines = await connection.wait(Promise.allSettled([...used].map(async (entry) => [entry, await connection.device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: entry }, label: entry })] as const)));
    const failed = pipelines.find((p) => p.status === 'rejected');
    if (failed) {
      const { messages } = await connection.wait(module.getCompilationInfo());
      const first = messages.find((m) => m.type === 'error');
      const [kernel, entry] = [first && entryAt(wgsl, first.lineNum), [...used][pipelines.indexOf(failed)] as string];
      throw gpuFailure(5503, { why: first ? `${named(plan, kernel)}: ${first.message}` : `${named(plan, entry)}: ${reason(failed.reason)}` }, failed.reason);
    }
    return new Map(pipelines.flatMap((p) => (p.status === 'fulfilled' ? [p.value] : [])));
  });
}
/** The kernel that a line of the module belongs to; undefined in what kernels share. */
function entryAt(wgsl: string, line: number): string | undefined {
  const before = wgsl.split('\n').slice(0, line);
  return before.findLast((l) => l.startsWith('fn '))?.match(/^fn (\w+)\(@builtin/)?.[1];
}
/** A kernel, and the place in the spec that it comes from. */
function named({ origins }: GpuPlan, kernel: string | undefined): string {
  if (kernel === undefined) return 'the module';
  const origin = origins.kernels[kernel];
  return `kernel ${kernel}${origin === undefined ? '' : `, which computes ${origin}`}`;
}
