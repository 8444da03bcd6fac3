/**
 * The thread that compiles, as the server asks it: what takes longer than a keystroke may wait (compiling MOSEI: 0.1 s) is done there, so that
 * checking as one types never waits. It holds the same documents as this thread, and is started anew after it has failed.
 */
import { Worker } from 'node:worker_threads';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Hover, KernelsAnswer } from '../language-service/index.js';
import type { Document, Documents } from './documents.js';

export type Question =
  | { readonly kind: 'diagnostics'; readonly uri: string }
  | { readonly kind: 'hover'; readonly uri: string; readonly offset: number }
  | { readonly kind: 'kernels'; readonly uri: string; readonly offset: number };
export interface Answers {
  readonly diagnostics: readonly Diagnostic[];
  readonly hover: Hover | undefined;
  readonly kernels: KernelsAnswer | string;
}
/** What the thread is sent: what has changed among the documents since the last time, and a question. */
export interface Request {
  readonly id: number;
  readonly opened: readonly Document[];
  readonly closed: readonly string[];
  readonly question: Question;
}
/** What it answers; `bug` in place of an answer. */
export interface Reply {
  readonly id: number;
  readonly answer?: Answers[Question['kind']];
  readonly bug?: string;
}
interface Running {
  readonly worker: Thread;
  /** The versions that it has. */
  readonly known: Map<string, number>;
  readonly waiting: Map<number, { readonly resolve: (answer: never) => void; readonly reject: (error: Error) => void }>;
}

/** What is used of a thread. */
export type Thread = Pick<Worker, 'postMessage' | 'on' | 'unref'>;
const newThread = (): Thread => new Worker(new URL('./compiling-thread.js', import.meta.url));

export class Compiling {
  readonly #documents: Documents;
  readonly #thread: () => Thread;
  #running: Running | undefined;
  #next = 1;
  constructor(documents: Documents, thread = newThread) {
    this.#documents = documents;
    this.#thread = thread;
  }

  /** By the documents as they are now. Rejects where the thread fails: a bug, or a model that takes more memory than there is. */
  ask<K extends Question['kind']>(question: Extract<Question, { kind: K }>): Promise<Answers[K]> {
    const running = this.#running ??= this.#start();
    const { known } = running;
    const all = this.#documents.all;
    const opened = all.filter((d) => known.get(d.uri) !== d.version);
    const closed = [...known.keys()].filter((uri) => !all.some((d) => d.uri === uri));
    for (const d of opened) known.set(d.uri, d.version);
    for (const uri of closed) known.delete(uri);
    const id = this.#next++;
    const answer = new Promise<Answers[K]>((resolve, reject) => { running.waiting.set(id, { resolve, reject }); });
    running.worker.postMessage({ id, opened, closed, question } satisfies Request);
    return answer;
  }
  #start(): Running {
    const worker = this.#thread();
    const running: Running = { worker, known: new Map(), waiting: new Map() };
    const failed = (error: Error): void => {
      if (this.#running === running) this.#running = undefined;
      for (const { reject } of running.waiting.values()) reject(error);
      running.waiting.clear();
    };
    worker.on('message', ({ id, answer, bug }: Reply) => {
      const asked = running.waiting.get(id);
      running.waiting.delete(id);
      if (bug === undefined) asked?.resolve(answer as never);
      else asked?.reject(new Error(bug));
    });
    worker.on('error', failed);
    worker.on('exit', (status: number) => failed(new Error(`the thread that compiles has ended with ${status}`)));
    // The server ends when its client says so.
    worker.unref();
    return running;
  }
}
