/** How far along a command is: one line on the terminal, from its second second on, gone when it ends. */
import type { Io } from './io.js';

const patience = 1000;
const interval = 100;

export class Progress {
  readonly #io: Io;
  readonly #start = performance.now();
  #last = 0;
  #shown = false;
  constructor(io: Io) {
    this.#io = io;
  }
  /** Says what is being done, and how much of it is. */
  step(what: string, fraction?: number): void {
    if (!this.#io.terminal) return;
    const now = performance.now();
    if (now - this.#start < patience || now - this.#last < interval) return;
    this.#last = now;
    this.#shown = true;
    this.#io.err(`\r\x1b[K${what}${fraction === undefined ? '' : ` ${Math.floor(100 * fraction)} %`}`);
  }
  done(): void {
    if (this.#shown) this.#io.err('\r\x1b[K');
    this.#shown = false;
  }
}
