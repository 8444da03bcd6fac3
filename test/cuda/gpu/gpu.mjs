/**
 * `npm run test:gpu`, on a machine with an NVIDIA GPU: every example in every strategy against the interpreter, random programs, streams and their
 * graphs, a device that is lost, and the benches; then the device and the figures are written into the table of targets/cuda/README.md.
 *
 *   -- SPEC...         those specs alone
 *   -- --bench NAME    those benches alone (default: all of CUDA)
 *   -- --readme FILE   another page with a table
 *
 * It ends with status 1, and writes no table, where anything fails, was skipped or can't be run, PyTorch and mamba_ssm apart: where they aren't
 * installed their rows say so. On the test driver it writes to another page only.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isEmulated, placed, tableOf } from './table.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const { values, positionals } = parseArgs({ allowPositionals: true, options: { bench: { type: 'string', multiple: true, default: [] }, readme: { type: 'string' } } });
const standing = join(root, 'targets/cuda/README.md');
const readme = resolve(values.readme ?? standing);
const strategies = ['auto', 'serial', 'chunked', 'convolution', 'step'];

function ssmc(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/src/cli/main.js'), ...args, '--json'], { encoding: 'utf8', maxBuffer: 2 ** 28 });
  let found;
  try {
    found = JSON.parse(stdout);
  } catch {
    // It says why on the error stream.
  }
  const lines = (stderr || stdout).trim().split('\n');
  const why = found?.error?.text ?? found?.diagnostics?.map((d) => `${d.code} ${d.text}`).join('; ') ?? lines.find((l) => l.startsWith('ssmc: '))?.slice(6) ?? lines.at(-1);
  return { status: status ?? 1, found, why };
}
const failures = [];
const fail = (what, why) => {
  failures.push(what);
  console.log(`FAILED  ${what}: ${why}`);
};

/** A strategy that the spec can't have is none of its checks; all others must agree. */
function verified(specs) {
  let [passed, of] = [0, 0];
  for (const spec of specs) for (const strategy of strategies) {
    const { status, found, why } = ssmc('verify', spec, '--device', 'cuda', '--strategy', strategy);
    const name = `${relative(root, resolve(spec))}, ${strategy}`;
    if (strategy !== 'auto' && found?.diagnostics?.some((d) => d.severity === 'error') && found.diagnostics.every((d) => d.severity !== 'error' || /^SSM41/.test(d.code))) continue;
    of++;
    if (status === 0 && found?.results?.length > 0) {
      passed++;
      console.log(`agrees  ${name}: ${Math.max(...found.results.map((r) => r.error)).toExponential(1)}`);
    } else fail(name, found?.results ? found.results.map((r) => `${r.output} errs by ${r.error}`).join(', ') : why);
  }
  return { name: 'examples, each strategy that they have, against the interpreter (1e-5)', passed, of };
}
/** The tests of test/cuda/gpu; one that is skipped has not passed. */
function tested() {
  const folder = mkdtempSync(join(tmpdir(), 'ssmc-gpu-'));
  const file = join(folder, 'report.json');
  try {
    spawnSync(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'test/cuda/gpu/', '--maxWorkers=1', '--reporter=json', `--outputFile=${file}`], { cwd: root, env: { ...process.env, SSMC_TEST_GPU: '1', QUICK: undefined }, stdio: ['ignore', 'ignore', 'inherit'] });
    const tests = JSON.parse(readFileSync(file, 'utf8')).testResults.flatMap((f) => f.assertionResults);
    for (const t of tests) if (t.status !== 'passed') fail(t.fullName, t.failureMessages?.join('\n') || t.status);
    if (tests.length === 0) fail('random programs, streams, loss', 'no test ran');
    return { name: 'random programs in each strategy; streams and their graphs; a device that is lost', passed: tests.filter((t) => t.status === 'passed').length, of: tests.length };
  } catch (error) {
    fail('random programs, streams, loss', error.message);
    return { name: 'random programs; streams; loss', passed: 0, of: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
function benched() {
  const { status, found, why } = ssmc('bench', '--device', 'cuda', ...values.bench);
  if (status !== 0 || !found?.results?.length) fail('the benches', why ?? 'nothing was measured');
  for (const { name, rows } of found?.results ?? []) for (const r of rows) {
    if (r.skipped !== undefined && r.name.startsWith('ssmc')) fail(`${name}, ${r.name}`, r.skipped);
    console.log(`${name}  ${r.name}: ${r.ms === undefined ? `not measured, ${r.skipped}` : `${r.ms.toPrecision(3)} ms`}`);
  }
  return found?.results ?? [];
}

const { found: doctor, why } = ssmc('doctor');
const device = doctor?.devices.find((d) => d.name === 'cuda');
if (!device?.works) {
  console.error(`nothing was run: ${device?.what ?? why}`);
  process.exit(1);
}
if (isEmulated(device.what) && readme === standing) {
  console.error('nothing was run: this is the test driver, and the table is for GPUs; --readme names another page');
  process.exit(1);
}
console.log(`${device.what}; Node ${doctor.node}`);
const specs = positionals.length > 0 ? positionals : readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ssm') && !f.includes('node_modules')).sort().map((f) => join(root, 'examples', f));
const checks = [verified(specs), tested()];
const benches = benched();
if (failures.length > 0) {
  console.error(`${failures.length} failed; no table is written`);
  process.exit(1);
}
const nvcc = doctor.devices.find((d) => d.name === 'nvcc');
writeFileSync(readme, placed(readFileSync(readme, 'utf8'), tableOf({ device: device.what, node: doctor.node, nvcc: nvcc?.works ? `kernels by nvcc ${nvcc.what}` : 'kernels by NVRTC', checks, benches })));
console.log(`all agree; the table is in ${readme}`);
