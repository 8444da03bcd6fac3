/** One GPU device while it lasts: whatever waits on it also waits for its loss, and memory that can't be had is an error with a name. */
import { reason } from '../errors.js';
import { gpuFailure } from '../gpu/errors.js';
import type { Gpu, GpuBuffer, GpuDevice } from './gpu.js';

export interface DeviceWish {
  /** Where adapters come from, or a device of the user's. */
  readonly gpu: Gpu | undefined;
  readonly device: GpuDevice | undefined;
  /** `gpu` is navigator's: nobody there could name a driver. */
  readonly browser: boolean;
}

/** `wanted`: sets of features, the best first; the first that can be had is. @throws LoadError SSM5207 where there is no adapter or it gives no device. */
export async function connect(wish: DeviceWish, wanted: readonly (readonly string[])[]): Promise<Connection> {
  const no = (why: string, cause?: unknown): Error => gpuFailure(5207, { device: 'webgpu', why }, cause);
  const choose = (has: GpuDevice['features']): readonly string[] => wanted.find((set) => set.every((f) => has?.has(f))) ?? [];
  if (wish.device) {
    if (!('lost' in wish.device && 'queue' in wish.device)) throw no('what was given as `device` is no GPUDevice');
    return new Connection(wish.device, describe(wish.device.adapterInfo), false, choose(wish.device.features), wish.device.adapterInfo?.isFallbackAdapter);
  }
  if (!wish.gpu) throw no('there is no navigator.gpu, and none was given as `gpu`');
  try {
    // An adapter can be null although navigator.gpu exists.
    const adapter = await wish.gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) throw new Error(`no adapter: WebGPU is here, but no graphics device that it can use${wish.browser ? '' : '; on Linux it looks for a Vulkan driver, whose file VK_DRIVER_FILES can name'}`);
    const features = choose(adapter.features);
    return new Connection(await adapter.requestDevice({ requiredFeatures: [...features] }), describe(adapter.info), true, features, adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
  } catch (error) {
    throw no(reason(error), error);
  }
}
function describe(info: { readonly vendor?: string; readonly architecture?: string; readonly description?: string } | undefined): string {
  return [info?.vendor, info?.architecture, info?.description].filter((x) => x !== undefined && x !== '').join(' ') || 'unnamed';
}

export class Connection {
  readonly device: GpuDevice;
  readonly adapter: string;
  /** What it was asked for, beyond what every device has. */
  readonly features: readonly string[];
  /** Few threads fill it: it is a CPU that plays a GPU. */
  readonly isFew: boolean;
  readonly #ours: boolean;
  readonly #buffers = new Set<GpuBuffer>();
  readonly #lost: Promise<never>;
  readonly #listener: (event: { readonly error: { readonly message: string } }) => void;
  isLost = false;
  /** What the device complained of outside of any scope. */
  #complaint: string | undefined;
  bytes = 0;

  constructor(device: GpuDevice, adapter: string, ours: boolean, features: readonly string[], isFew = false) {
    this.device = device;
    this.adapter = adapter;
    this.#ours = ours;
    this.features = features;
    this.isFew = isFew;
    this.#lost = device.lost.then((info) => {
      this.isLost = true;
      throw gpuFailure(5501, { why: info.message || info.reason || 'no reason given' });
    });
    // Nobody may be waiting when it happens.
    this.#lost.catch(() => undefined);
    this.#listener = (event) => { this.#complaint ??= event.error.message; };
    device.addEventListener?.('uncapturederror', this.#listener);
  }
  /** Waits for the work, or for the device's loss. @throws DeviceError SSM5501. */
  async wait<T>(work: Promise<T>): Promise<T> {
    // A lost device may reject what is waited for in words of its own, just before it says that it is lost.
    const done = work.catch(async (error: unknown) => {
      await Promise.race([this.#lost, new Promise((resolve) => { setTimeout(resolve, 0); })]);
      throw error;
    });
    const result = await Promise.race([done, this.#lost]);
    if (this.isLost) await this.#lost;
    return result;
  }
  /** Runs `work` under error scopes. @throws DeviceError SSM5501, SSM5502, SSM5503. */
  async scoped<T>(name: string, bytes: number, work: () => T | Promise<T>): Promise<T> {
    const { device } = this;
    device.pushErrorScope('validation');
    device.pushErrorScope('internal');
    device.pushErrorScope('out-of-memory');
    const pop = (): Promise<({ readonly message: string } | null)[]> => this.wait(Promise.all([device.popErrorScope(), device.popErrorScope(), device.popErrorScope()]));
    let result: T;
    try {
      result = await work();
    } catch (error) {
      // The scopes must not stay open; the first error is the one to tell.
      await pop().catch(() => undefined);
      throw error;
    }
    const [memory, internal, validation] = await pop();
    if (memory) throw gpuFailure(5502, { name, bytes });
    const complaint = internal?.message ?? validation?.message ?? this.#complaint;
    this.#complaint = undefined;
    if (complaint !== undefined) throw gpuFailure(5503, { why: complaint });
    return result;
  }
  /** A buffer that `dispose` frees. @throws DeviceError SSM5502 with the name of what is largest in it. */
  async buffer(name: string, bytes: number, use: number): Promise<GpuBuffer> {
    const size = Math.max(16, Math.ceil(bytes / 4) * 4);
    if (size > this.device.limits.maxBufferSize) throw gpuFailure(5502, { name, bytes });
    let made: GpuBuffer | undefined;
    try {
      made = await this.scoped(name, bytes, () => (made = this.device.createBuffer({ size, usage: use, label: name })));
    } catch (error) {
      made?.destroy();
      throw error;
    }
    this.#buffers.add(made);
    this.bytes += size;
    return made;
  }
  free(buffer: GpuBuffer): void {
    if (!this.#buffers.delete(buffer)) return;
    this.bytes -= buffer.size;
    buffer.destroy();
  }
  /** Frees its buffers, and the device if it is ours. */
  dispose(): void {
    for (const b of [...this.#buffers]) this.free(b);
    this.device.removeEventListener?.('uncapturederror', this.#listener);
    if (this.#ours && !this.isLost) this.device.destroy();
  }
}
