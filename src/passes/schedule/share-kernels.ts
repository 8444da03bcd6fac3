/**
 * One function for kernels that differ only in the buffers they are given: layers of a stack, members of a modality axis. Buffers are
 * parameters of a kernel, so it is exact to launch one kernel with another's buffers.
 */
import type { Kernel } from '../../ir/kernel.js';

export class SharedKernels {
  readonly #byText = new Map<string, Kernel>();

  /** The kernels to emit, in order of first use. */
  get kernels(): readonly Kernel[] {
    return [...this.#byText.values()];
  }
  /** The kernel that does what this one does. */
  of(kernel: Kernel): Kernel {
    // Where buffers lie in few bindings, two uses of one kernel may bind differently: its target shares what comes out the same.
    const text = kernel.grid ? kernel.name : textOf(kernel);
    const known = this.#byText.get(text);
    if (known) return known;
    this.#byText.set(text, kernel);
    return kernel;
  }
}

/** A kernel's text without its name, buffers by position. */
function textOf(kernel: Kernel): string {
  const position = new Map(kernel.parameters.flatMap((p, k) => (p.kind === 'buffer' ? [[p.name, k]] : [])));
  const parameters = kernel.parameters.map((p) => (p.kind === 'buffer' ? [p.element, p.access] : p.name));
  return JSON.stringify([kernel.precision, parameters, kernel.body], (key, value: unknown) => {
    if (key === 'buffer' && typeof value === 'string') return position.get(value);
    // JSON has no infinities and no -0.
    if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) return Object.is(value, -0) ? '-0' : String(value);
    if (typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'comment') return undefined;
    return value;
  });
}
