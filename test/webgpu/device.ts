/** WebGPU in Node: Dawn on SwiftShader's Vulkan driver, as `test/webgpu/install.mjs` finds or installs it. */
import { existsSync } from 'node:fs';
import { create } from 'webgpu';
import type { Gpu } from '../../src/runtime/webgpu/index.js';

/** Chromium's package brings SwiftShader. */
export const driver = '/usr/lib/chromium/vk_swiftshader_icd.json';
if (process.env['VK_DRIVER_FILES'] === undefined && existsSync(driver)) process.env['VK_DRIVER_FILES'] = driver;

// The object must live as long as anything made from it.
const instance = create([]);
export const gpu = instance as unknown as Gpu;
/** The same, passing for a GPU: what is compiled for devices that many threads fill. */
export const many: Gpu = {
  requestAdapter: async (options) => {
    const adapter = await gpu.requestAdapter(options);
    if (adapter) Object.defineProperty(adapter, 'info', { value: { ...adapter.info, isFallbackAdapter: false } });
    return adapter;
  },
};
/** Why there is no device here; undefined where there is one. */
export const missing: string | undefined = (await instance.requestAdapter()) ? undefined : 'no Vulkan driver: install Debian\'s libvulkan1 and chromium';
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(`WebGPU can't be tested: ${missing}`);
