/** What runs in the thread that compiles: a workspace of its own, kept as the server's is. Its other end is compiling.ts. */
import { parentPort } from 'node:worker_threads';
import type { Answers, Question, Reply, Request } from './compiling.js';
import { Documents } from './documents.js';
import { Workspace } from './workspace.js';

const bugs: unknown[] = [];
const documents = new Documents();
const workspace = new Workspace(documents, (error) => { bugs.push(error); });

function answer(question: Question): Answers[Question['kind']] {
  const { service, path } = workspace.place(question.uri);
  switch (question.kind) {
    case 'diagnostics': return service.fullDiagnostics(path);
    case 'hover': return service.hover(path, question.offset);
    case 'kernels': return service.kernels(path, question.offset);
  }
}
const told = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

parentPort?.on('message', ({ id, opened, closed, question }: Request) => {
  for (const d of opened) documents.open(d);
  for (const uri of closed) documents.close(uri);
  let reply: Reply;
  try {
    const found = answer(question);
    const bug = bugs.shift();
    reply = bug === undefined ? { id, answer: found } : { id, bug: told(bug) };
  } catch (error) {
    reply = { id, bug: told(error) };
  }
  bugs.length = 0;
  parentPort?.postMessage(reply);
});
