/**
 * A step of `npm test`: what WebGPU's tests need. Dawn for Node comes with npm; a Vulkan loader and a software driver come with
 * Debian's libvulkan1 and chromium, which this installs where they are missing and it may. Elsewhere those tests say that they skip.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const driver = '/usr/lib/chromium/vk_swiftshader_icd.json';
if (!existsSync(driver)) {
  const root = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  console.log(root ? 'installing libvulkan1 and chromium, for the tests of WebGPU' : 'no chromium with SwiftShader here: the tests of WebGPU are skipped (Debian: apt-get install libvulkan1 chromium)');
  if (root) {
    const apt = (...args) => execFileSync('apt-get', ['-o', 'DPkg::Lock::Timeout=300', '-qq', ...args], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
    try {
      apt('update');
      apt('install', '-y', '--no-install-recommends', 'libvulkan1', 'chromium');
    } catch (error) {
      console.log(`they can't be installed: ${error.message}`);
    }
  }
}
