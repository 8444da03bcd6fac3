/** A project of texts. `‸` in a text is where the cursor stands. */
import { LanguageService } from '../../src/language-service/index.js';
import { std } from '../random/agree.js';

export const cursor = '‸';
export interface Case {
  readonly service: LanguageService;
  readonly path: string;
  readonly text: string;
  readonly offset: number;
  readonly bugs: unknown[];
}
/** `spec.ssm` holds the text; other files by their paths. */
export function place(marked: string, files: Readonly<Record<string, string>> = {}): Case {
  const offset = Math.max(0, marked.indexOf(cursor));
  const text = marked.replace(cursor, '');
  const all = new Map([...Object.entries(files), ['spec.ssm', text]]);
  const bugs: unknown[] = [];
  const service = new LanguageService({ std, read: (p) => all.get(p), files: () => [...all.keys()], onBug: (e) => bugs.push(e) });
  return { service, path: 'spec.ssm', text, offset, bugs };
}
export const model = (body: string): string => `model M {\n  axis c = 4\n  input x[t, c]\n  ${body}\n}\n`;
