/** Broken text: whatever is cut, doubled or swapped in any example, every question is answered, and every answer lies inside its file. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lex } from '../../grammar/tokens.js';
import { Random } from '../../src/interpreter/random.js';
import { LanguageService } from '../../src/language-service/index.js';
import { std } from '../random/agree.js';

const count = Number(process.env['COUNT'] ?? 1000);
const folder = join(import.meta.dirname, '../../examples');
const specs = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ssm')).toSorted();
const strays = ['(', ')', '[', ']', '{', '}', '=', '=>', ',', ':', '|', '"', '§', '1e', '9', 'match', 'repeat 3', 'model', 'block B', 'import', 'state', 'axis', 't', '.', '///', '\r\n', '\t', '😀', 'é'];

function edited(text: string, random: Random): string {
  const at = random.integer(0, text.length);
  const tokens = lex(text, '').tokens;
  const token = tokens[random.integer(0, Math.max(0, tokens.length - 1))];
  switch (random.integer(0, 4)) {
    case 0: return text.slice(0, at);
    case 1: return text.slice(0, at) + text.slice(at + random.integer(1, 30));
    case 2: return text.slice(0, at) + (strays[random.integer(0, strays.length - 1)] ?? '') + text.slice(at);
    case 3: return token ? text.slice(0, token.startOffset) + text.slice(token.startOffset + token.image.length) : text;
    default: return token ? `${text.slice(0, token.startOffset)}${token.image} ${text.slice(token.startOffset)}` : text;
  }
}
/** Every span anywhere in an answer. */
function spansIn(x: unknown): { file: string; start: number; end: number }[] {
  if (typeof x !== 'object' || x === null) return [];
  const own = 'file' in x && 'start' in x && 'end' in x ? [x as { file: string; start: number; end: number }] : [];
  return [...own, ...Object.values(x).flatMap(spansIn)];
}

describe('damaged specs', () => {
  it('are all there', () => { expect(specs.length).toBeGreaterThanOrEqual(8); });
  it.each(specs)(`%s, ${count} edits`, (spec) => {
    const whole = readFileSync(join(folder, spec), 'utf8');
    const path = `examples/${spec.replaceAll('\\', '/')}`;
    let text = whole;
    const bugs: unknown[] = [];
    const read = (p: string): string | undefined => (p === path ? text : undefined);
    const service = new LanguageService({ std, read, onBug: (e) => bugs.push(e) });
    let faulty = 0;
    for (let seed = 0; seed < count; seed++) {
      const random = new Random(seed, spec);
      // Edits pile up for a while, as they do while one types.
      text = seed % 5 === 0 ? edited(whole, random) : edited(text, random);
      const offset = random.integer(0, text.length);
      try {
        const diagnostics = service.diagnostics(path);
        if (diagnostics.some((d) => d.severity === 'error')) faulty++;
        const answers = [
          diagnostics, service.definitions(path, offset), service.references(path, offset), service.highlights(path, offset), service.renamable(path, offset), service.rename(path, offset, 'other'),
          service.completions(path, offset), service.outline(path), service.format(path), service.actions(path, 0, text.length), ...(seed % 20 === 0 ? [service.hover(path, offset), service.fullDiagnostics(path), service.kernels(path, offset)] : []),
        ];
        for (const { file, start, end } of spansIn(answers)) {
          const length = (file === path ? text : std.get(file) ?? read(file) ?? '').length;
          if (!(start >= 0 && start <= end && end <= length)) throw new Error(`a span of ${file} from ${start} to ${end} of ${length}`);
        }
        let end = 0;
        for (const t of service.semanticTokens(path)) {
          if (t.start < end || t.end > text.length) throw new Error(`a token at ${t.start}`);
          end = t.end;
        }
        for (const h of service.hints(path)) if (h.offset < 0 || h.offset > text.length) throw new Error(`a hint at ${h.offset}`);
      } catch (error) {
        throw new Error(`seed ${seed}, offset ${offset}: ${String(error)}\n${text}`, { cause: error });
      }
    }
    expect(bugs).toEqual([]);
    expect(faulty).toBeGreaterThan(count / 2);
  });
});
