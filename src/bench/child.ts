/**
 * Our own contestants that need a process of their own: relaxed SIMD, which Node 20 has behind a flag. Speaks the peers' protocol
 * (peer-process.ts): `child.js scan INPUT RESULT`, INPUT being JSON.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { ourScanReady } from './scan/ours.js';
import { scanInputs, type ScanShape } from './scan/problem.js';

interface Order {
  readonly shape: ScanShape;
}
const [kind, source, target] = process.argv.slice(2) as [string, string, string];
const { shape } = JSON.parse(readFileSync(source, 'utf8')) as Order;
if (kind !== 'scan') throw new Error(`no contestant ${kind}`);
const { run, result } = await ourScanReady(scanInputs(shape), true);
for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith('run')) {
    const start = performance.now();
    run();
    console.log(performance.now() - start);
  } else {
    const y = result();
    writeFileSync(target, new Uint8Array(y.buffer, y.byteOffset, y.byteLength));
    console.log('saved');
  }
}
