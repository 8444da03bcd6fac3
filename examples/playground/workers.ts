/** Workers asked from the page. A question that a newer one makes pointless is given up: its promise never settles. */
import type { Kind, Reply, Request, Requests } from './protocol.js';

export class Helper {
  #worker: Worker | undefined;
  #next = 0;
  readonly #waiting = new Map<number, { readonly resolve: (answer: never) => void; readonly reject: (error: Error) => void }>();

  ask<K extends Kind>(kind: K, given: Requests[K]['given']): Promise<Requests[K]['answer']> {
    const id = this.#next++;
    this.#worker ??= this.#start();
    const request: Request<K> = { id, kind, given };
    this.#worker.postMessage(request);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }
  /** Whatever is being worked on is no longer wanted. */
  drop(): void {
    if (this.#waiting.size === 0) return;
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#waiting.clear();
  }
  #start(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }: { readonly data: Reply }) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ('error' in data) waiting?.reject(new Error(data.error));
      else waiting?.resolve(data.answer as never);
    };
    return worker;
  }
}
