/** The language server inside the extension: `ssmc lsp` without the command line. The standard library lies beside the bundle. */
import { serve } from '../../../src/lsp/server.js';

void serve(process.stdin, process.stdout);
