/**
 * Stands between the runtime and Dawn: counts the promises and commands that the runtime asks for, and destroys the device, or fails a
 * call, at a chosen one. Methods are replaced on the objects themselves: Dawn takes no proxies as arguments.
 */
import type { Gpu, GpuAdapter, GpuBuffer, GpuDevice, GpuEncoder } from '../../src/runtime/webgpu/gpu.js';

export class Tap implements Gpu {
  readonly #gpu: Gpu;
  /** Names of the calls that returned a promise, in order. */
  readonly promised: string[] = [];
  readonly devices: GpuDevice[] = [];
  readonly destroyed = new Set<GpuDevice>();
  readonly buffers = new Set<GpuBuffer>();
  dispatches = 0;
  scopes = 0;
  /** Before the promise of this number resolves, its device is destroyed; 'call': already when it is asked for. */
  loseAt: number | undefined;
  loseOn: 'call' | 'answer' = 'answer';
  /** What `requestAdapter` does instead of asking Dawn. */
  adapter: (() => Promise<GpuAdapter | null>) | undefined;
  /** A last word on every new device. */
  readonly onDevice: (device: GpuDevice) => void;

  constructor(gpu: Gpu, onDevice: (device: GpuDevice) => void = () => undefined) {
    this.#gpu = gpu;
    this.onDevice = onDevice;
  }
  /** The next promise is number 0 again. */
  from(loseAt?: number, on: 'call' | 'answer' = 'answer'): void {
    this.promised.length = 0;
    this.loseAt = loseAt;
    this.loseOn = on;
  }
  count(name: string): number {
    return this.promised.filter((p) => p === name).length;
  }
  get live(): GpuDevice[] {
    return this.devices.filter((d) => !this.destroyed.has(d));
  }

  async requestAdapter(): Promise<GpuAdapter | null> {
    const adapter = await this.#watch('requestAdapter', undefined, () => (this.adapter ? this.adapter() : this.#gpu.requestAdapter()));
    if (adapter) this.#replace(adapter, 'requestDevice', (original) => (d) => this.#watch('requestDevice', (made) => made, async () => this.watched(await original(d))));
    return adapter;
  }
  /** Watches a device, and all that comes from it. */
  watched(device: GpuDevice): GpuDevice {
    this.devices.push(device);
    const promise = <T, K extends keyof T & string>(of: T, name: K): void => {
      this.#replace(of, name, (original) => ((...a: unknown[]) => this.#watch(name, () => device, () => (original as (...a: unknown[]) => Promise<unknown>)(...a))) as T[K]);
    };
    this.#replace(device, 'destroy', (original) => () => { this.destroyed.add(device); original(); });
    this.#replace(device, 'createBuffer', (original) => (d) => {
      const buffer = original(d);
      this.buffers.add(buffer);
      promise(buffer, 'mapAsync');
      this.#replace(buffer, 'destroy', (end) => () => { this.buffers.delete(buffer); end(); });
      return buffer;
    });
    this.#replace(device, 'createShaderModule', (original) => (d) => {
      const module = original(d);
      promise(module, 'getCompilationInfo');
      return module;
    });
    this.#replace(device, 'createCommandEncoder', (original) => () => this.#encoder(original()));
    this.#replace(device, 'pushErrorScope', (original) => (f) => { this.scopes++; original(f); });
    this.#replace(device, 'popErrorScope', (original) => () => { this.scopes--; return original(); });
    promise(device, 'createComputePipelineAsync');
    promise(device, 'popErrorScope');
    promise(device.queue, 'onSubmittedWorkDone');
    this.onDevice(device);
    return device;
  }
  #encoder(encoder: GpuEncoder): GpuEncoder {
    this.#replace(encoder, 'beginComputePass', (original) => () => {
      const pass = original();
      this.#replace(pass, 'dispatchWorkgroups', (dispatch) => (x, y, z) => { this.dispatches++; dispatch(x, y, z); });
      return pass;
    });
    return encoder;
  }
  #replace<T, K extends keyof T>(of: T, name: K, by: (original: T[K]) => T[K]): void {
    const original = of[name] as T[K] & { bind(of: T): T[K] };
    Object.defineProperty(of, name, { value: by(original.bind(of)), configurable: true });
  }
  async #watch<T>(name: string, deviceOf: ((result: T) => GpuDevice) | undefined, work: () => Promise<T>): Promise<T> {
    const k = this.promised.push(name) - 1;
    const lose = k === this.loseAt;
    // Known before the answer for all but `requestDevice`.
    if (lose && this.loseOn === 'call' && name !== 'requestDevice') deviceOf?.(undefined as T).destroy();
    const result = await work();
    if (lose && this.loseOn === 'answer') deviceOf?.(result).destroy();
    return result;
  }
}
