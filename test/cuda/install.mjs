/**
 * A step of `npm test`: NVRTC for its test, from pip's package into .cache, where nvcc is on the path and its toolkit came without. It needs no
 * GPU. Where it can't be had the test says that it skips.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const target = join(dirname(fileURLToPath(import.meta.url)), '../../.cache/nvrtc');
const release = /release (\d+\.\d+)/.exec(spawnSync('nvcc', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1];
const toolkits = existsSync('/usr/local') ? readdirSync('/usr/local').filter((f) => f.startsWith('cuda')).map((f) => join('/usr/local', f, 'lib64')) : [];
const isThere = process.env.SSMC_NVRTC !== undefined || existsSync(target) || toolkits.some((f) => existsSync(f) && readdirSync(f).some((name) => name.startsWith('libnvrtc.so')));
if (release !== undefined && !isThere) {
  console.log(`installing NVRTC ${release} (pip's nvidia-cuda-nvrtc) into .cache, for its test`);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--retries', '0', '--timeout', '15', '--target', target, `nvidia-cuda-nvrtc==${release}.*`];
  const { status, stderr } = spawnSync('python3', pip, { encoding: 'utf8', timeout: 300_000 });
  if (status !== 0) {
    rmSync(target, { recursive: true, force: true });
    console.log(`it can't be had: ${stderr?.trim().split('\n').at(-1) ?? 'there is no python3'}`);
  }
}
