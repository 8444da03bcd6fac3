/**
 * `npm run build:cuda`: the addon, by g++ alone. It needs no CUDA, and no headers from the network: those of Node-API come with npm. The
 * file lies where node-gyp-build looks for it.
 */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const folder = dirname(fileURLToPath(import.meta.url));
/** The package's root: the built addon's folder is the same below dist/. */
const root = join(folder, '../../..');
const compiler = process.env.CXX ?? 'g++';

/** Where the addon of this machine belongs. */
export const addonFile = () => {
  const glibc = process.report?.getReport().header.glibcVersionRuntime !== undefined;
  return join(root, 'prebuilds', `${process.platform}-${process.arch}`, `ssmc.napi.${glibc ? 'glibc' : 'musl'}.node`);
};
/** Why it can't be built here; undefined where it can. */
export function cannotBuild() {
  if (process.platform !== 'linux') return 'the CUDA addon is for Linux';
  try {
    execFileSync(compiler, ['--version'], { stdio: 'ignore' });
  } catch {
    return `the CUDA addon needs a C++ compiler, and there is no ${compiler} here`;
  }
  return undefined;
}
const includes = () => {
  const require = createRequire(import.meta.url);
  return [dirname(require.resolve('node-addon-api/package.json')), require('node-api-headers').include_dir].map((path) => `-I${path}`);
};
const common = ['-std=c++17', '-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra', '-Werror', '-pthread'];
const definitions = ['-DNAPI_VERSION=8', '-DNAPI_CPP_EXCEPTIONS', '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS', '-DNODE_GYP_MODULE_NAME=ssmc_cuda'];

/**
 * Builds the addon into `output`, unless it is there and of these sources.
 * @returns whether anything was done.
 */
export async function buildAddon(output = addonFile(), options = ['-O2', '-DNDEBUG']) {
  const sources = readdirSync(folder).filter((f) => /\.(cpp|h)$/.test(f)).sort();
  const command = [...common, ...definitions, ...options];
  const hash = createHash('sha256');
  for (const f of [...sources, 'build.mjs']) hash.update(f).update(readFileSync(join(folder, f)));
  hash.update(JSON.stringify([compiler, command, process.versions.modules]));
  const stamp = hash.digest('hex');
  const stampFile = `${output}.sha256`;
  if (existsSync(output) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return false;
  mkdirSync(dirname(output), { recursive: true });
  const work = mkdtempSync(join(dirname(output), '.build-'));
  try {
    const run = promisify(execFile);
    const objects = [];
    for (const f of sources.filter((s) => s.endsWith('.cpp'))) {
      const object = join(work, f.replace(/cpp$/, 'o'));
      objects.push(object);
      await run(compiler, [...command, ...includes(), '-c', join(folder, f), '-o', object]);
    }
    const made = join(work, 'addon.node');
    await run(compiler, [...command, '-shared', '-o', made, ...objects, '-ldl']);
    renameSync(made, output);
    writeFileSync(stampFile, stamp);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return true;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const why = cannotBuild();
  if (why === undefined) console.log(`${addonFile()}${(await buildAddon()) ? '' : ' is up to date'}`);
  else {
    console.log(why);
    process.exitCode = process.argv.includes('--where-possible') ? 0 : 1;
  }
}
