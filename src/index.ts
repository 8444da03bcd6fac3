/** The compiler as a library: pure, for Node and browsers. */
export { compile, type Compilation, type CompiledModule, type CompileOptions, type SourceHost } from './compile.js';
export type { Diagnostic } from './diagnostics/diagnostic.js';
export { renderDiagnostic } from './diagnostics/render.js';
export { version } from './version.js';
