/**
 * What a model's `rename "..." to "..."` says of names that a rename changes: the patterns follow, so that tensors keep the names that they are
 * stored under. Where a pattern can't follow, the reason.
 */
import type { Rename, Statement } from '../../grammar/ast.js';
import { applyRename, check, type SourceHost, type TensorName } from '../check/index.js';
import { Diagnostics } from '../diagnostics/diagnostic.js';
import { Builder } from '../ir/builder.js';
import { applyEdits, type Edit } from './edits.js';
import type { Project } from './project.js';

export function renameMapEdits(project: Project, edits: readonly Edit[]): readonly Edit[] | string {
  const found: Edit[] = [];
  const { host } = project;
  const after: SourceHost = { std: host.std, read: (path) => {
    const text = host.read(path);
    return text === undefined ? undefined : applyEdits(text, edits.filter((e) => e.span.file === path));
  } };
  for (const path of project.paths.filter((p) => !project.isLibrary(p))) for (const d of project.file(path)?.declarations ?? []) {
    const renames = d.kind === 'model' ? renamesIn(d.body) : [];
    if (renames.length === 0) continue;
    const before = namesOf(path, host, d.name.text);
    const nameEdit = edits.find((e) => e.span.file === path && e.span.start === d.name.span.start);
    const now = namesOf(path, after, nameEdit?.replacement ?? d.name.text);
    if (!before || before.length !== now?.length) return `\`${d.name.text}\` has \`rename\`s, which must follow: mend the mistakes of the spec first`;
    const followed = renames.map((r) => followedBy(r, before, now));
    for (const [k, r] of renames.entries()) {
      const to = followed[k];
      if (to === undefined) return `\`rename "${r.from}"\` of \`${d.name.text}\` can't follow: change it first`;
      if (to === r.from) continue;
      const start = (project.text(path) ?? '').indexOf('"', r.span.start) + 1;
      found.push({ span: { file: path, start, end: start + r.from.length }, replacement: to });
    }
  }
  return found;
}
function renamesIn(body: readonly Statement[]): Rename[] {
  return body.flatMap((s): Rename[] => {
    switch (s.kind) {
      case 'rename': return [s];
      case 'repeat': return renamesIn(s.body);
      case 'match-statement': return s.arms.flatMap((a) => renamesIn(a.body));
      default: return [];
    }
  });
}
/** Absent where there are mistakes other than renames that name nothing. */
function namesOf(path: string, host: SourceHost, model: string): readonly TensorName[] | undefined {
  const diagnostics = new Diagnostics();
  const { names } = check(path, host, new Builder(), diagnostics, { model });
  return diagnostics.list.some((d) => d.severity === 'error' && d.code !== 'SSM2031') ? undefined : names;
}

/** The pattern that gives each tensor that it named before the same stored name, and takes no other. */
function followedBy({ from, to }: Rename, before: readonly TensorName[], now: readonly TensorName[]): string | undefined {
  const hit = (pattern: string, names: readonly TensorName[]): string => names.map((n) => applyRename(n.instance, pattern, to) ?? '').join('\n');
  const wanted = hit(from, before);
  const candidates = new Set([from, ...before.flatMap(({ instance }, k) => (applyRename(instance, from, to) === undefined ? [] : rewritten(from, instance, now[k]?.instance ?? '')))]);
  return [...candidates].find((c) => hit(c, now) === wanted);
}
/** A pattern with the segments replaced by which two names differ. */
function rewritten(pattern: string, before: string, now: string): string[] {
  const [parts, old, next] = [pattern.split('.'), before.split('.'), now.split('.')];
  let start = 0;
  while (start < Math.min(old.length, next.length) && old[start] === next[start]) start++;
  let end = 0;
  while (end < Math.min(old.length, next.length) - start && old[old.length - 1 - end] === next[next.length - 1 - end]) end++;
  if (parts.length !== old.length) return [];
  return [[...parts.slice(0, start), ...next.slice(start, next.length - end), ...parts.slice(parts.length - end)].join('.')];
}
