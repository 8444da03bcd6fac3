/**
 * The addon (targets/cuda/addon), as its calls are typed, and where it is found: beside the package, under the names that node-gyp-build
 * goes by. Node's modules are asked for when they are needed, and not by an import, so that bundlers have nothing to resolve.
 */
import { reason } from '../errors.js';
import { gpuFailure } from '../gpu/errors.js';

export interface Native {
  /** Connects to a device, on a thread of its own. */
  open(driver: string, device: number): Promise<Opened>;
  /** By NVRTC, the first of the libraries that is there: machine code or PTX for a device of this compute capability. */
  compile(libraries: readonly string[], source: string, options: readonly string[], capability: number): Promise<Uint8Array>;
}
export interface Opened {
  readonly session: NativeSession;
  readonly name: string;
  /** 90 for 9.0. */
  readonly capability: number;
  readonly bytes: number;
  readonly multiprocessors: number;
  /** kHz, of the multiprocessors and of the memory. */
  readonly clock: number;
  readonly memoryClock: number;
  /** Bits. */
  readonly memoryBus: number;
  /** 13000 for CUDA 13.0. */
  readonly driverVersion: number;
}
export interface NativeSession {
  /** Bytes of its buffers. */
  readonly bytes: number;
  /** A cubin or PTX; its kernels then go by their numbers in `names`. Once. */
  load(image: Uint8Array, names: readonly string[]): Promise<void>;
  /** A buffer's number. */
  allocate(bytes: number): Promise<number>;
  free(buffer: number): void;
  /** Commands as commands.ts writes them; `graph`: to be run again and again, so recorded once. */
  prepare(commands: Float64Array<ArrayBuffer>, graph: boolean): Promise<NativeBatch>;
  /** What is under way still ends. */
  dispose(): Promise<void>;
}
export interface NativeBatch {
  /** With the data of all writes; gives that of all reads. */
  run(data: ArrayBuffer): Promise<Ran>;
  /** The same in two: handed over, behind what was started before; and waited for, once. */
  start(data: ArrayBuffer): Promise<void>;
  result(): Promise<Ran>;
  dispose(): void;
}
export interface Ran {
  readonly data: ArrayBuffer;
  readonly milliseconds: number;
}
/** What a call of the addon is rejected with. */
export interface NativeError {
  readonly kind: 'no-driver' | 'no-device' | 'too-old' | 'no-kernels' | 'out-of-memory' | 'lost' | 'refused' | 'disposed';
  readonly message: string;
}

interface NodeProcess {
  readonly platform: string;
  readonly arch: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  getBuiltinModule?(name: string): unknown;
  readonly report?: { getReport(): object };
}
interface NodeModule {
  createRequire(from: string): (path: string) => unknown;
}
interface NodeFiles {
  existsSync(path: URL): boolean;
}
export const nodeProcess = (): NodeProcess | undefined => (globalThis as { readonly process?: NodeProcess }).process;

let loaded: Native | undefined;

/** @throws DeviceError SSM5510 where it isn't built for this machine, or this is not Node. */
export function nativeAddon(): Native {
  if (loaded) return loaded;
  const process = nodeProcess();
  const modules = process?.getBuiltinModule?.('node:module') as NodeModule | undefined;
  const files = process?.getBuiltinModule?.('node:fs') as NodeFiles | undefined;
  if (!process || !modules || !files) throw gpuFailure(5510, { why: 'this is not Node 20.16 or later' });
  const path = addonFile(process, files);
  if (!path) throw gpuFailure(5510, { why: `it is not built for ${process.platform}-${process.arch}` });
  try {
    loaded = modules.createRequire(import.meta.url)(decodeURIComponent(path.pathname)) as Native;
    return loaded;
  } catch (error) {
    throw gpuFailure(5510, { why: reason(error) }, error);
  }
}
/** Beside the package, which is some folders above this file: in dist/ or in the source. */
function addonFile(process: NodeProcess, files: NodeFiles): URL | undefined {
  const header = (process.report?.getReport() as { readonly header?: { readonly glibcVersionRuntime?: string } } | undefined)?.header;
  const name = `prebuilds/${process.platform}-${process.arch}/ssmc.napi.${header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc'}.node`;
  for (let up = '../'; up.length <= 3 * 4; up += '../') {
    const path = new URL(up + name, import.meta.url);
    if (files.existsSync(path)) return path;
  }
  return undefined;
}
