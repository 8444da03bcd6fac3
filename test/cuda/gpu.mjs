/**
 * `npm run test:gpu`, on a machine with an NVIDIA GPU: every example against the interpreter on it, and the benches, as tables for a README.
 * With specs as arguments: those, and no benches. Where there is no GPU that works it says why, and ends with status 1: nothing is skipped as passed.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const given = process.argv.slice(2);
const specs = given.length > 0 ? given : readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ssm')).sort().map((f) => join(root, 'examples', f));

function ssmc(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/src/cli/main.js'), ...args, '--json'], { encoding: 'utf8', maxBuffer: 2 ** 28 });
  try {
    const found = JSON.parse(stdout);
    if (found.results ?? found.devices) return { status, found };
  } catch {
    // It says why on the error stream, or as JSON.
  }
  return { status: status || 1, why: (stderr || stdout).trim().split('\n').at(-1) };
}

const { found: doctor, why } = ssmc('doctor');
const device = doctor?.devices.find((d) => d.name === 'cuda');
if (!device?.works) {
  console.error(`nothing was run: ${device?.what ?? why}`);
  process.exit(1);
}
console.log(`${device.what}; Node ${doctor.node}; ${doctor.devices.find((d) => d.name === 'nvcc')?.what ?? ''}\n\n| spec | largest error of an output, normwise | |\n|---|---|---|`);
let failed = 0;
for (const spec of specs) {
  const { status, found, why: words } = ssmc('verify', spec, '--device', 'cuda');
  if (status !== 0) failed++;
  console.log(`| ${relative(root, spec)} | ${found ? Math.max(...found.results.map((r) => r.error)).toExponential(2) : ''} | ${status === 0 ? 'agrees' : (words ?? 'differs')} |`);
}
if (given.length === 0) {
  const { status, found, why: words } = ssmc('bench', '--device', 'cuda');
  // A bench that was skipped has not passed.
  if (status !== 0 || !found || found.results.some((b) => b.rows?.some((r) => r.skipped))) failed++;
  console.log(`\n| bench | contestant | ms | times ours | error |\n|---|---|---|---|---|`);
  for (const { name, rows } of found?.results ?? []) for (const r of rows) console.log(`| ${name} | ${r.name} | ${r.ms?.toFixed(3) ?? r.skipped} | ${r.ratio?.toFixed(2) ?? ''} | ${r.error?.toExponential(1) ?? ''} |`);
  if (!found) console.log(words);
}
console.log(`\n${failed === 0 ? 'all agree' : `${failed} failed`}`);
process.exit(failed === 0 ? 0 : 1);
