/**
 * How long diagnostics take as one types: `node test/lsp/latency.mjs [SPEC]`, after `npm run build`. A character comes and goes; the time is
 * from the change to the diagnostics of its version, over the protocol, as an editor waits for them. Printed: the first, and the median and largest of the rest.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = new URL('../..', import.meta.url).pathname;
const spec = resolve(process.argv[2] ?? `${root}examples/coupled-mamba/mosei.ssm`);
const text = readFileSync(spec, 'utf8');
const uri = pathToFileURL(spec).href;
const server = spawn(process.execPath, [`${root}dist/src/cli/main.js`, 'lsp'], { stdio: ['pipe', 'pipe', 'inherit'] });
const send = (message) => {
  const body = JSON.stringify({ jsonrpc: '2.0', ...message });
  server.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
};
let buffer = '';
const waiting = new Map();
server.stdout.on('data', (bytes) => {
  buffer += bytes;
  for (let m = /Content-Length: (\d+)\r\n\r\n/.exec(buffer); m && buffer.length >= m.index + m[0].length + Number(m[1]); m = /Content-Length: (\d+)\r\n\r\n/.exec(buffer)) {
    const start = m.index + m[0].length;
    const message = JSON.parse(buffer.slice(start, start + Number(m[1])));
    buffer = buffer.slice(start + Number(m[1]));
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
send({ id: 1, method: 'initialize', params: { processId: null, rootUri: null, capabilities: {} } });
await heard(1);
const first = await timed(1, { method: 'textDocument/didOpen', params: { textDocument: { uri, languageId: 'ssm', version: 1, text } } });
const times = [];
const end = text.trimEnd().length;
for (let version = 2; version <= 102; version++) {
  const typed = version % 2 === 0 ? `${text.slice(0, end - 1)}x${text.slice(end - 1)}` : text;
  times.push(await timed(version, { method: 'textDocument/didChange', params: { textDocument: { uri, version }, contentChanges: [{ text: typed }] } }));
}
times.sort((a, b) => a - b);
console.log(`${spec.slice(root.length)}: first ${first.toFixed(1)} ms, then median ${times[50].toFixed(1)} ms, largest ${times.at(-1).toFixed(1)} ms`);
server.kill();
