/** `ssmc/vite`: `plugins: [ssmc()]`, and `import { Mex } from "./mex.ssm"` works. Needs the package `unplugin`. */
import { unplugin } from './plugin.js';

export type { SsmcOptions } from './spec.js';
export const ssmc = unplugin.vite;
