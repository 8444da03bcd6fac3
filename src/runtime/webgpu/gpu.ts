/** The part of WebGPU that is used, as small structural types: published declarations must not clash with a DOM library's own. */
export interface Gpu {
  requestAdapter(options?: { powerPreference?: 'high-performance' }): Promise<GpuAdapter | null>;
}
export interface GpuAdapter {
  /** `isFallbackAdapter`: a CPU plays the GPU. */
  readonly info?: { readonly vendor?: string; readonly architecture?: string; readonly description?: string; readonly isFallbackAdapter?: boolean };
  /** Where browsers said so before. */
  readonly isFallbackAdapter?: boolean;
  readonly features: { has(name: string): boolean };
  requestDevice(descriptor?: { requiredFeatures?: string[] }): Promise<GpuDevice>;
}
export interface GpuDevice {
  readonly limits: { readonly maxStorageBufferBindingSize: number; readonly maxBufferSize: number };
  readonly features?: { has(name: string): boolean };
  readonly queue: GpuQueue;
  readonly lost: Promise<{ readonly reason?: string; readonly message: string }>;
  readonly adapterInfo?: GpuAdapter['info'];
  createBuffer(descriptor: { size: number; usage: number; label?: string }): GpuBuffer;
  createShaderModule(descriptor: { code: string; label?: string }): GpuShaderModule;
  createComputePipelineAsync(descriptor: { layout: 'auto'; compute: { module: GpuShaderModule; entryPoint: string }; label?: string }): Promise<GpuPipeline>;
  createBindGroup(descriptor: { layout: object; entries: { binding: number; resource: { buffer: GpuBuffer; offset?: number; size?: number } }[] }): object;
  createCommandEncoder(): GpuEncoder;
  pushErrorScope(filter: 'validation' | 'out-of-memory' | 'internal'): void;
  popErrorScope(): Promise<{ readonly message: string } | null>;
  addEventListener?(type: 'uncapturederror', listener: (event: { readonly error: { readonly message: string } }) => void): void;
  removeEventListener?(type: 'uncapturederror', listener: (event: { readonly error: { readonly message: string } }) => void): void;
  destroy(): void;
}
export interface GpuQueue {
  submit(buffers: object[]): void;
  writeBuffer(buffer: GpuBuffer, offset: number, data: ArrayBufferView<ArrayBuffer>, dataOffset?: number, size?: number): void;
  onSubmittedWorkDone(): Promise<undefined | void>;
}
export interface GpuBuffer {
  readonly size: number;
  mapAsync(mode: number, offset?: number, size?: number): Promise<undefined | void>;
  getMappedRange(offset?: number, size?: number): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}
export interface GpuShaderModule {
  getCompilationInfo(): Promise<{ readonly messages: readonly { readonly type: string; readonly message: string; readonly lineNum: number }[] }>;
}
export interface GpuPipeline {
  getBindGroupLayout(index: number): object;
}
export interface GpuEncoder {
  beginComputePass(): GpuPass;
  copyBufferToBuffer(source: GpuBuffer, sourceOffset: number, target: GpuBuffer, targetOffset: number, size: number): void;
  clearBuffer(buffer: GpuBuffer, offset?: number, size?: number): void;
  finish(): object;
}
export interface GpuPass {
  setPipeline(pipeline: GpuPipeline): void;
  setBindGroup(index: number, group: object): void;
  dispatchWorkgroups(x: number, y?: number, z?: number): void;
  end(): void;
}

/** GPUBufferUsage and GPUMapMode, whose names are globals of the browser only. */
export const usage = { mapRead: 1, copySource: 4, copyTarget: 8, uniform: 64, storage: 128 } as const;
export const MAP_READ = 1;
/** Groups in one row of a dispatch, whose dimensions may have 65,535; the kernels unfold it (targets/wgsl/print.ts). */
export const FOLD = 32768;
