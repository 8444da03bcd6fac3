/** A small client of the language server protocol: messages with a length before each, over the streams of a child process. */
import { spawn, type ChildProcess } from 'node:child_process';

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}
export class Client {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (m: Message) => void>();
  readonly #heard: Message[] = [];
  readonly #listeners = new Set<() => void>();
  #buffer: Buffer = Buffer.alloc(0);
  #next = 1;
  readonly exit: Promise<number | null>;
  errors = '';

  constructor(command: string, args: readonly string[], cwd: string) {
    this.#child = spawn(command, args, { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (bytes: Buffer) => this.#receive(bytes));
    this.#child.stderr?.on('data', (bytes: Buffer) => { this.errors += bytes.toString(); });
    this.exit = new Promise((done) => { this.#child.on('exit', done); });
  }
  async request<T>(method: string, params: unknown): Promise<T> {
    const id = this.#next++;
    const answer = new Promise<Message>((done) => { this.#waiting.set(id, done); });
    this.#send({ id, method, params });
    const m = await answer;
    if (m.error) throw new Error(m.error.message);
    return m.result as T;
  }
  notify(method: string, params: unknown): void {
    this.#send({ method, params });
  }
  /** The first notification from now on, or since `reset`, that fits. */
  async heard<T>(method: string, fits: (params: T) => boolean): Promise<T> {
    for (;;) {
      const found = this.#heard.findLast((m) => m.method === method && fits(m.params as T));
      if (found) return found.params as T;
      await new Promise<void>((done) => { this.#listeners.add(done); });
    }
  }
  reset(): void {
    this.#heard.length = 0;
  }
  get notifications(): readonly { readonly method?: string; readonly params?: unknown }[] {
    return this.#heard;
  }
  kill(): void {
    this.#child.kill();
  }
  #send(message: object): void {
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));
    this.#child.stdin?.write(Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]));
  }
  #receive(bytes: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    for (;;) {
      const end = this.#buffer.indexOf('\r\n\r\n');
      const length = Number(/Content-Length: (\d+)/i.exec(this.#buffer.subarray(0, Math.max(0, end)).toString())?.[1]);
      if (end < 0 || this.#buffer.length < end + 4 + length) return;
      const message = JSON.parse(this.#buffer.subarray(end + 4, end + 4 + length).toString()) as Message;
      this.#buffer = this.#buffer.subarray(end + 4 + length);
      if (message.id !== undefined && message.method === undefined) {
        this.#waiting.get(message.id)?.(message);
        this.#waiting.delete(message.id);
      } else {
        this.#heard.push(message);
        for (const l of this.#listeners) l();
        this.#listeners.clear();
      }
    }
  }
}
