/** Quick fixes: what a diagnostic says would mend it, and imports of library blocks that a file uses without. */
import { parse } from '../../grammar/parser.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { importOf } from './completion.js';
import { applyEdits, type Edit } from './edits.js';
import type { Project } from './project.js';

export interface Action {
  readonly title: string;
  readonly diagnostic: Diagnostic;
  readonly edits: readonly Edit[];
  /** It is what was meant, as far as can be told. */
  readonly preferred: boolean;
}

export function actionsFor(project: Project, diagnostics: readonly Diagnostic[], path: string, start: number, end: number): readonly Action[] {
  const file = project.file(path);
  if (!file) return [];
  return diagnostics.filter((d) => d.span.file === path && d.span.start <= end && start <= d.span.end).flatMap((d): Action[] => {
    const name = file.text.slice(d.span.start, d.span.end);
    const library = d.code === 'SSM2020' && [...project.host.std.keys()].some((p) => project.file(p)?.declarations.some((x) => x.kind === 'block' && x.name.text === name));
    const imports: Action[] = library ? [{ title: `import \`${name}\` from "std"`, diagnostic: d, edits: [importOf(file, name, 'std')], preferred: true }] : [];
    const fix: Action[] = d.fix && d.fix.edits.every((e) => e.span.file === path) && parses(file.text, path, d.fix.edits) ? [{ title: d.fix.text, diagnostic: d, edits: d.fix.edits, preferred: imports.length === 0 }] : [];
    return [...imports, ...fix];
  });
}
/** A fix makes no text that reads worse than before. */
function parses(text: string, path: string, edits: readonly Edit[]): boolean {
  return parse(applyEdits(text, edits), path).faults.length <= parse(text, path).faults.length;
}
