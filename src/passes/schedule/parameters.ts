/** What a kernel is given, found while it is written: its buffers, with how they are used, and its numbers. */
import type { BufferParameter, Int, Kernel } from '../../ir/kernel.js';
import { ivar } from './ints.js';

export class Parameters {
  readonly #used = new Map<string, BufferParameter['access']>();
  readonly #scalars = new Set<string>();

  scalar(name: 'R' | 'B' | 'T' | 't0'): Int {
    this.#scalars.add(`$${name}`);
    return ivar(`$${name}`);
  }
  touch(buffer: string, how: 'read' | 'write'): string {
    const before = this.#used.get(buffer);
    this.#used.set(buffer, before && before !== how ? 'read-write' : how);
    return buffer;
  }
  /** All of them, in the order in which they were first asked for. */
  protected parameters(element: (buffer: string) => BufferParameter['element']): Kernel['parameters'] {
    return [
      ...[...this.#used].map(([name, access]) => ({ kind: 'buffer' as const, name, access, element: element(name) })),
      ...[...this.#scalars].map((name) => ({ kind: 'scalar' as const, name })),
    ];
  }
}
