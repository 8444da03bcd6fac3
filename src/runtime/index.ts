/** What generated modules and their users import. No dependencies; nothing is touched at import. */
export { DeviceError, DisposedError, InputError, LoadError, SsmcError, StreamError, WeightsError, type RuntimeCode } from './errors.js';
export type { Disposing } from './disposing.js';
export { fetchBytes, type UrlLike } from './files.js';
export type { Weights } from './load.js';
export type { BufferSpec, GpuPlan, Launch, Manifest, Placement, TensorSpec, WeightSpec } from './manifest.js';
export { loadModel, type DeviceReport, type LoadOptions, type Model, type ModelSource, type RunOptions } from './model.js';
export { unpack, type Packed, type PackedShape } from './packed.js';
export { readSafetensors, writeSafetensors, type SafetensorsFile, type StoredTensor, type WritableTensor } from './safetensors.js';
export type { Stream } from './stream.js';
export type { Tensor, TensorInput, TensorTree } from './tensors.js';
