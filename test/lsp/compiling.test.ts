/** The thread that compiles, as the server talks to it: what it is sent, and what becomes of questions when it fails. The thread here is a stand-in. */
import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Compiling, type Request, type Thread } from '../../src/lsp/compiling.js';
import { Documents } from '../../src/lsp/documents.js';

class StandIn extends EventEmitter {
  readonly heard: Request[] = [];
  postMessage(request: Request): void { this.heard.push(request); }
  unref(): void { /* it keeps no process alive */ }
}
function setUp(): { readonly documents: Documents; readonly compiling: Compiling; readonly threads: StandIn[] } {
  const documents = new Documents();
  const threads: StandIn[] = [];
  const compiling = new Compiling(documents, () => {
    const thread = new StandIn();
    threads.push(thread);
    return thread as unknown as Thread;
  });
  return { documents, compiling, threads };
}
const question = { kind: 'diagnostics', uri: 'file:///a.ssm' } as const;

describe('the thread that compiles', () => {
  it('is started when it is first asked, and told of what has changed since the last time', async () => {
    const { documents, compiling, threads } = setUp();
    documents.open({ uri: 'a', version: 1, text: 'one' });
    documents.open({ uri: 'b', version: 1, text: 'other' });
    expect(threads).toHaveLength(0);
    const first = compiling.ask(question);
    documents.change('a', 2, [{ text: 'two' }]);
    documents.close('b');
    const second = compiling.ask(question);
    expect(threads.map((t) => t.heard.map(({ opened, closed }) => [opened.map((d) => d.text), closed]))).toEqual([[[['one', 'other'], []], [['two'], ['b']]]]);
    threads[0]?.emit('message', { id: 2, answer: ['of two'] });
    threads[0]?.emit('message', { id: 1, answer: ['of one'] });
    expect([await first, await second]).toEqual([['of one'], ['of two']]);
  });
  it('says what a bug was, and goes on', async () => {
    const { compiling, threads } = setUp();
    const first = compiling.ask(question);
    threads[0]?.emit('message', { id: 1, bug: 'TypeError: it' });
    await expect(first).rejects.toThrow('TypeError: it');
    const second = compiling.ask(question);
    threads[0]?.emit('message', { id: 2, answer: [] });
    expect(await second).toEqual([]);
  });
  it('is started anew with all documents after it has failed', async () => {
    const { documents, compiling, threads } = setUp();
    documents.open({ uri: 'a', version: 1, text: 'one' });
    const lost = [compiling.ask(question), compiling.ask(question)];
    threads[0]?.emit('error', new Error('out of memory'));
    for (const l of lost) await expect(l).rejects.toThrow('out of memory');
    threads[0]?.emit('exit', 1);
    const next = compiling.ask(question);
    expect(threads).toHaveLength(2);
    expect(threads[1]?.heard[0]?.opened.map((d) => d.text)).toEqual(['one']);
    threads[1]?.emit('message', { id: 3, answer: [] });
    expect(await next).toEqual([]);
  });
});
