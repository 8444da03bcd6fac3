/** Where NVIDIA's run-time compiler lies, if it is here at all: it needs no GPU and no driver. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './driver/tools.js';

const folders = (path: string): string[] => (existsSync(path) ? readdirSync(path).map((f) => join(path, f)) : []);
/** `npm test` puts it there where it may (install.mjs). */
const installed = (): string[] => folders(join(root, '.cache/nvrtc/nvidia')).map((f) => join(f, 'lib'));
const toolkits = (): string[] => folders('/usr/local').filter((f) => /\/cuda[^/]*$/.test(f)).map((f) => join(f, 'lib64'));
const library = (folder: string): string | undefined => folders(folder).filter((f) => /\/libnvrtc\.so\.\d+$/.test(f)).sort().at(-1);
/** What the loader finds by itself. */
const system = (): string | undefined => /libnvrtc\.so\.\d+ .*=> (\S+)/.exec(spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' }).stdout ?? '')?.[1];

export const nvrtc: string | undefined = process.env['SSMC_NVRTC'] ?? [...installed(), ...toolkits()].map(library).find((f) => f !== undefined) ?? system();
