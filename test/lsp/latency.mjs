/**
 * How long diagnostics take as one types: `node test/lsp/latency.mjs [SPEC]`, after `npm run build`. A character comes and goes; the time is
 * from the change to the diagnostics of its version, over the protocol, as an editor waits for them. Three ways to type: without a rest; with an editor's
 * own requests (colours, hints, outline, fixes) after each character; and with rests that end while the server compiles. Exits with 1 where one of them,
 * or opening the file, took 50 ms or more: a figure of a quiet machine only.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const goal = 50;
const root = new URL('../..', import.meta.url).pathname;
const spec = resolve(process.argv[2] ?? `${root}examples/coupled-mamba/mosei.ssm`);
const text = readFileSync(spec, 'utf8');
const uri = pathToFileURL(spec).href;
const server = spawn(process.execPath, [`${root}dist/src/cli/main.js`, 'lsp'], { stdio: ['pipe', 'pipe', 'inherit'] });
const send = (message) => {
  const body = JSON.stringify({ jsonrpc: '2.0', ...message });
  server.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
};
let buffer = Buffer.alloc(0);
const waiting = new Map();
server.stdout.on('data', (bytes) => {
  buffer = Buffer.concat([buffer, bytes]);
  for (let m = /Content-Length: (\d+)\r\n\r\n/.exec(buffer.toString('latin1')); m && buffer.length >= m.index + m[0].length + Number(m[1]); m = /Content-Length: (\d+)\r\n\r\n/.exec(buffer.toString('latin1'))) {
    const start = m.index + m[0].length;
    const message = JSON.parse(buffer.subarray(start, start + Number(m[1])).toString());
    buffer = buffer.subarray(start + Number(m[1]));
    const key = message.method === 'textDocument/publishDiagnostics' ? `v${message.params.version}` : message.id;
    waiting.get(key)?.();
    waiting.delete(key);
  }
});
const heard = (key) => new Promise((done) => { waiting.set(key, done); });
const timed = async (version, message) => {
  const answer = heard(`v${version}`);
  const start = performance.now();
  send(message);
  await answer;
  return performance.now() - start;
};
let id = 0;
const asked = (method, params) => {
  send({ id: ++id, method, params });
  return heard(id);
};
const textDocument = { uri };
const everything = { start: { line: 0, character: 0 }, end: { line: 9999, character: 0 } };
const editorAsks = () => Promise.all([
  asked('textDocument/semanticTokens/full', { textDocument }), asked('textDocument/inlayHint', { textDocument, range: everything }),
  asked('textDocument/documentSymbol', { textDocument }), asked('textDocument/codeAction', { textDocument, range: everything, context: { diagnostics: [] } }),
]);
let version = 1;
const end = text.trimEnd().length;
const keystroke = () => {
  version++;
  const typed = version % 2 === 0 ? `${text.slice(0, end - 1)}x${text.slice(end - 1)}` : text;
  return timed(version, { method: 'textDocument/didChange', params: { textDocument: { uri, version }, contentChanges: [{ text: typed }] } });
};
/** How long the rest is that lies before each character: the server compiles 400 ms after the last one. */
const ways = {
  'without a rest': { times: 100, before: () => undefined },
  "with an editor's requests": { times: 50, before: editorAsks },
  'while the server compiles': { times: 24, before: (k) => rest(k % 2 === 0 ? 410 + 10 * k : 0) },
};

const started = performance.now();
await asked('initialize', { processId: null, rootUri: null, capabilities: {} });
console.log(`started in ${(performance.now() - started).toFixed(0)} ms`);
const opened = await timed(version, { method: 'textDocument/didOpen', params: { textDocument: { uri, languageId: 'ssm', version, text } } });
console.log(`${spec.slice(root.length)}: opened in ${opened.toFixed(1)} ms`);
let largest = opened;
for (const [name, { times, before }] of Object.entries(ways)) {
  const took = [];
  for (let k = 0; k < times; k++) {
    await before(k);
    took.push(await keystroke());
  }
  took.sort((a, b) => a - b);
  largest = Math.max(largest, took.at(-1));
  console.log(`${name}: median ${took[times >> 1].toFixed(1)} ms, largest ${took.at(-1).toFixed(1)} ms`);
}
server.kill();
if (largest >= goal) process.exitCode = 1;
