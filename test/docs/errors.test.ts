/** src/docs/errors.md is made of the cases: each wrong example gives its code, each mended one compiles. `UPDATE=1` writes the page. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile, type CompileOptions } from '../../src/compile.js';
import { messages } from '../../src/diagnostics/messages.js';
import { runtimeMessages } from '../../src/runtime/errors.js';
import { gpuMessages } from '../../src/runtime/gpu/errors.js';
import { format } from '../../grammar/formatter.js';
import { cases, warnings } from '../check/cases.js';
import { std } from '../random/agree.js';
import { advice, mended, type Mended } from './mended.js';
import { cannotRun, runExample } from './examples.js';
import { given, preludeOf, runtimeCases, spec, type RuntimeCase } from './runtime-cases.js';

const page = join(import.meta.dirname, '../../src/docs/errors.md');
type Files = Readonly<Record<string, string>>;
interface Entry {
  readonly code: string;
  readonly wrong: string;
  readonly files: Files;
  readonly options: Partial<CompileOptions>;
  readonly mended: Mended;
}
const compiled = (spec: string, files: Files, options: Partial<CompileOptions>): ReturnType<typeof compile> => compile('spec.ssm', { std, read: (p) => (p === 'spec.ssm' ? spec : files[p]) }, { specHash: '', ...options });
const wrongOf = (code: string): Omit<Entry, 'code' | 'mended'> => {
  const found = cases.find(([c]) => c === code);
  const warning = warnings.find((w) => w.code === code);
  return { wrong: found?.[1] ?? warning?.spec ?? '', files: found?.[4] ?? {}, options: warning?.options ?? {} };
};
const entries: readonly Entry[] = Object.keys(messages).map((code) => ({ code, ...wrongOf(code), mended: mended[code] ?? { advice: '', right: '' } }));

/** Right ones as `ssmc format` lays them out; wrong ones as they are, long lines cut. */
const laidOut = (text: string): string => {
  const done = format(text, 'spec.ssm');
  return 'text' in done ? done.text : `${text}\n`;
};
const shown = (text: string): string => `${text.replace(/^ {1,2}(?=\S)/gm, '  ').split('\n').map((l) => (l.length > 120 ? `${l.slice(0, 100)} …` : l)).join('\n')}\n`;
const fenced = (text: string): string => `\`\`\`\n${text}\`\`\`\n`;
const withFiles = (text: string, files: Files = {}): string => [fenced(text), ...Object.entries(files).map(([name, t]) => `and \`${name}\`:\n\n${fenced(laidOut(t))}`)].join('\n');
function section({ code, wrong, files, options, mended: { advice: what, right, files: more } }: Entry): string {
  const found = compiled(wrong, files, options).diagnostics.find((d) => d.code === code);
  const asked = options.strategy ? ` (with \`--strategy ${options.strategy}\`)` : options.webgpu ? ' (with `--target wgsl`)' : '';
  return `### ${code}\n\n> ${found?.severity ?? ''}: ${found?.text ?? ''}\n\n${what}\n\nWrong${asked}:\n\n${withFiles(shown(wrong), files)}\nRight:\n\n${withFiles(laidOut(right), more)}`;
}
const titles: Readonly<Record<string, string>> = { 1: 'Syntax', 2: 'Names, axes and types', 3: 'Recurrences', 4: 'Limits of machines' };
function made(): string {
  const parts = Object.entries(titles).map(([digit, title]) => `## ${title}\n\n${entries.filter((e) => e.code[3] === digit).map(section).join('\n')}`);
  const rows = Object.entries({ ...runtimeMessages, ...gpuMessages }).map(([n, text]) => `| SSM${n} | ${text.replaceAll('|', '\\|')} | ${advice[`SSM${n}`] ?? ''} |`);
  return `# Troubleshooting by code

A code never changes its meaning. Those of the compiler stand here with a wrong and a right example; those of a loaded model, which are
thrown as typed errors, at the end: a table, then an example of each. This page is made by \`test/docs/errors.test.ts\`, which compiles and runs every example.

${parts.join('\n')}
## When a model is loaded and run

\`{name}\` stands for what the message fills in. Every error is an \`SsmcError\` with its \`code\`: a \`WeightsError\` (50xx), \`InputError\` (51xx), \`LoadError\` (52xx),
\`StreamError\` (53xx), \`DisposedError\` (54xx) or \`DeviceError\` (55xx).

| code | message | what to do |
|---|---|---|
${rows.sort().join('\n')}

Each with an example, with this model and what stands before it:

${fenced(spec)}
\`\`\`js
${preludeOf({})}
\`\`\`

\`loadModel\`, \`readSafetensors\` and \`writeSafetensors\` are exports of \`ssmc/runtime\`, \`webgpu\` of \`ssmc/runtime/webgpu\`; \`manifest\`, \`kernels\` and \`plan\` are what the generated module gives them, \`stored(dtype, elements)\` a file
with a tensor \`a\` of that dtype, \`saved\` what a stream of the model above gave.

${runtimeCases.map(runtimeSection).join('\n')}`;
}
const js = (text: string): string => `\`\`\`js\n${text}\n\`\`\`\n`;
function runtimeSection({ code, wrong, right, spec: own, on }: RuntimeCase): string {
  return `### ${code}\n\n${on ? `${given[on]}.\n\n` : ''}${own ? `The model is\n\n${fenced(own)}\n` : ''}Wrong:\n\n${js(wrong)}\nRight:\n\n${js(right)}`;
}

describe('troubleshooting by code', () => {
  it.each(entries.map((e) => [e.code, e] as const))('%s: the wrong example gives it, the right one compiles without a word', (code, e) => {
    expect(e.mended.advice).not.toBe('');
    expect(compiled(e.wrong, e.files, e.options).diagnostics.map((d) => d.code)).toContain(code);
    expect(compiled(e.mended.right, e.mended.files ?? {}, e.options).diagnostics.map((d) => `${d.code} ${d.text}`)).toEqual([]);
  });
  it('has advice for every error at run time, and for none that is not there', () => {
    const codes = Object.keys({ ...runtimeMessages, ...gpuMessages }).map((n) => `SSM${n}`).sort();
    expect(Object.keys(advice).sort()).toEqual(codes);
    expect(Object.keys(mended).sort()).toEqual(Object.keys(messages).sort());
  });
  it('has examples of every error at run time', () => {
    expect(runtimeCases.map((c) => c.code)).toEqual(Object.keys(advice).sort());
  });
  it.each(runtimeCases.map((c) => [c.code, c] as const))('%s: thrown by the wrong example, and not by the right one', async (code, c) => {
    const why = cannotRun(c.on);
    if (why !== undefined && process.env['CI'] === undefined) return console.warn(`${code} is not run: ${why}`);
    const error = await runExample(c, c.wrong).then(() => undefined, (e: unknown) => e as { readonly code?: string; readonly message: string });
    expect(`${error?.code} ${error?.message}`).toMatch(new RegExp(`^${code} ${code}: `));
    await runExample(c, c.right);
  }, 120_000);
  it('is up to date', () => {
    if (process.env['UPDATE'] === '1') writeFileSync(page, made());
    expect(readFileSync(page, 'utf8')).toBe(made());
  });
});
