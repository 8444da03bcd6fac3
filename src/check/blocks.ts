/**
 * Blocks by themselves. What a model uses of a block is checked where it is used; here every block of the user's files is read once
 * for each of its choices, on arrays of made-up sizes, so that a fault in a block that nothing uses, or in an arm that nothing
 * chooses, is reported too. Only faults that no size could mend are kept.
 */
import type { Declaration } from '../../grammar/ast.js';
import type { Diagnostic, Diagnostics } from '../diagnostics/diagnostic.js';
import { Diagnostics as Collector } from '../diagnostics/diagnostic.js';
import type { Code } from '../diagnostics/messages.js';
import { Builder } from '../ir/builder.js';
import { Elaborator } from './elaborate.js';
import type { LoadedFile } from './files.js';
import type { Sightings } from './scope.js';

const whateverTheSizes: ReadonlySet<Code> = new Set<Code>([
  'SSM2001', 'SSM2002', 'SSM2007', 'SSM2009', 'SSM2013', 'SSM2015', 'SSM2017', 'SSM2020', 'SSM2021', 'SSM2023', 'SSM2025', 'SSM2026', 'SSM2027', 'SSM2032',
  'SSM2034', 'SSM2035', 'SSM2042',
]);

export function checkBlocks(file: LoadedFile, diagnostics: Diagnostics): Sightings[] {
  const seen: Sightings[] = [];
  for (const block of file.file.declarations) {
    if (block.kind !== 'block' || block.broken) continue;
    for (const choices of choicesOf(block)) {
      const found = new Collector();
      const work = new Elaborator(new Builder(), found);
      work.block(block, file, choices);
      seen.push({ list: work.sightings, definitions: work.definitions, madeUp: true });
      for (const d of found.list) if (d.severity === 'error' && holds(d, block)) diagnostics.add(d);
    }
  }
  return seen;
}
/** The defaults, and each other choice of each option. */
function choicesOf(block: Declaration): ReadonlyMap<string, string>[] {
  const others = block.parameters.flatMap((p) => (p.kind === 'option' && p.choices ? p.choices.slice(1).map((c) => new Map([[p.name.text, c.text]])) : []));
  return [new Map(), ...others];
}
function holds(d: Diagnostic, block: Declaration): boolean {
  return whateverTheSizes.has(d.code) && d.span.file === block.span.file && d.span.start >= block.span.start && d.span.end <= block.span.end;
}
