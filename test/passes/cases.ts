/**
 * Cases of passes as text: blocks that begin with `# pass: NAME, ...: title`, a spec, `----`, and the Program as it prints after the last of the
 * passes named. Only the last one is under test; the others bring the spec to where it stands. `UPDATE=1` rewrites the second halves.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Case {
  readonly file: string;
  readonly title: string;
  /** The passes before, and the one under test. */
  readonly passes: readonly string[];
  readonly before: string;
  readonly after: string;
}
const folder = import.meta.dirname;

export function readCases(): Case[] {
  return readdirSync(folder).filter((f) => f.endsWith('.txt')).toSorted().flatMap((file) =>
    readFileSync(join(folder, file), 'utf8').split(/^(?=# pass: )/m).filter((block) => block.startsWith('# pass: ')).map((block): Case => {
      const [head = '', ...lines] = block.split('\n');
      const [, list = '', title = ''] = /^# pass: ([a-z0-9-, ]+): (.*)$/.exec(head) ?? [];
      const [before = '', after = ''] = lines.join('\n').split(/^----\n?/m);
      return { file, title, passes: list.split(',').map((x) => x.trim()), before, after };
    }));
}
export function writeCases(cases: readonly Case[], results: ReadonlyMap<Case, string>): void {
  for (const file of new Set(cases.map((c) => c.file))) {
    const text = cases.filter((c) => c.file === file).map((c) => `# pass: ${c.passes.join(', ')}: ${c.title}\n${c.before.trimEnd()}\n----\n${(results.get(c) ?? c.after).trimEnd()}\n`);
    writeFileSync(join(folder, file), text.join('\n'));
  }
}
