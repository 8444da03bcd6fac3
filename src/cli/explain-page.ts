/** `ssmc explain --html`: the report as a page of its own. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { page } from '../explain/html/page.js';
import { reportOf, type ReportOptions } from '../explain/report.js';
import { machines, type RooflineMachine } from '../explain/roofline.js';
import { duration, plural } from '../explain/units.js';
import type { Arguments } from './command.js';
import type { Built } from './build.js';
import type { Io } from './io.js';
import { measureStages } from './measure.js';
import { openTensors } from './tensors.js';

export async function writePage(file: string, built: Built, args: Arguments, io: Io, shown: Pick<ReportOptions, 'batch' | 'length' | 'recurrences' | 'representations'>): Promise<number> {
  const { module, program, opened } = built;
  const wanted = args.text('machine') ?? (module.webgpu ? 'laptop' : 'core');
  const machine = machines.find((m) => m.name === wanted) as RooflineMachine;
  const weights = args.text('weights');
  const measured = args.flag('run') ? await measureStages(module, program, shown, weights === undefined ? undefined : openTensors(weights, 'weights', io)) : undefined;
  const ran = measured && `Measured on this machine: the shortest of ${plural(measured.rounds, 'run')}, on ${weights === undefined ? 'random weights' : 'the weights given'} and random inputs.`;
  const used = new Set(program.definitions.map((d) => d.span.file));
  const files = [opened.entry, ...[...used].filter((f) => f !== opened.entry).toSorted()];
  const sources = files.flatMap((path) => { const text = opened.source(path); return text === undefined ? [] : [{ path, text }]; });
  const report = reportOf(module, { ...shown, machine, sources, ...(measured && ran ? { measured: measured.times, ran } : {}) });
  const text = page(report);
  writeFileSync(resolve(io.cwd, file), text);
  const total = report.stages.reduce((n, s) => n + (s.measured ?? 0), 0);
  if (args.flag('json')) io.out(`${JSON.stringify({ html: file, bytes: Buffer.byteLength(text), ...(measured ? { measured: Object.fromEntries(measured.times) } : {}) })}\n`);
  else io.err(`${file}: ${plural(report.stages.length, 'stage')}${measured ? `, ${duration(total)} measured` : ''}\n`);
  return 0;
}
