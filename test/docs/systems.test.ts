/** The README's table of systems says what the compiler says of the examples. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recurrenceReports } from '../../src/explain/recurrences.js';
import { compileText } from '../random/agree.js';

const root = join(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const rows = [...readme.matchAll(/^\| ([^|]+) \| `(\w+)` \| `([\w/-]+\.ssm)` \| ([^|]+) \| ([\w-]+) \|$/gm)].map(([, system = '', block = '', example = '', recurrence = '', growth = '']) => ({ system, block, example, recurrence, growth }));

describe('the table of systems', () => {
  it('has a row for every folder of examples of systems', () => {
    const folders = readdirSync(join(root, 'examples'), { withFileTypes: true }).filter((d) => d.isDirectory() && !['mex', 'playground'].includes(d.name)).map((d) => d.name);
    expect([...new Set(rows.map((r) => r.example.split('/')[0]))].sort()).toEqual(folders.sort());
  });
  it.each(rows.map((r) => [r.system, r] as const))('%s', (_, { block, example, recurrence, growth }) => {
    const text = readFileSync(join(root, 'examples', example), 'utf8');
    expect(text).toContain(`${block}(`);
    const { module, builder } = compileText(text);
    if (!module) throw new Error('it does not compile');
    const [first] = recurrenceReports(module.recurrences, builder);
    const kind = !first?.affine ? 'not affine' : first.timeInvariant ? 'affine, time-invariant' : 'affine, selective';
    expect(recurrence.startsWith(kind)).toBe(true);
    expect(module.stability[0]?.verdict).toBe(growth);
    if (recurrence.includes('in one scan')) expect(module.graph.stages.filter((s) => s.anchor === 'scan').length).toBe(module.stability.length);
    if (recurrence.includes('backward')) expect(new Set(recurrenceReports(module.recurrences, builder).map((r) => r.direction))).toEqual(new Set(['forward', 'backward']));
  });
});
