/** The kernels that compute what the block under the cursor says. */
import { printKernel } from '../ir/print-kernel.js';
import type { Analyses } from './analysis.js';
import { occurrenceAt } from './navigation.js';
import type { Project } from './project.js';

export interface KernelsAnswer {
  /** The block or model. */
  readonly of: string;
  readonly text: string;
}

/** Of the block that is named here, else of the block or model around; or why there are none. */
export function kernelsAt(project: Project, analyses: Analyses, path: string, offset: number): KernelsAnswer | string {
  const named = occurrenceAt(project, path, offset)?.symbol;
  const home = named?.kind === 'block' ? named.file : path;
  const declarations = project.file(home)?.declarations ?? [];
  const d = named?.kind === 'block' ? declarations.find((x) => x.name.text === named.name) : declarations.find((x) => x.span.start <= offset && offset <= x.span.end);
  if (!d) return 'the cursor is in no block or model';
  for (const analysis of analyses.around(home, path)) for (const m of analysis.models) {
    if (d.kind === 'model' && (m.model !== d.name.text || analysis.path !== home)) continue;
    const module = analyses.compiled(analysis.path, m.model)?.module;
    if (!module) continue;
    const defs = module.graph.program.definitions;
    const inside = (id: number): boolean => { const s = defs[id]?.span; return s !== undefined && s.file === home && s.start >= d.span.start && s.end <= d.span.end; };
    const kernels = new Set(module.graph.stages.filter((s) => d.kind === 'model' || s.items.some((i) => inside(i.def))).map((s) => module.kernelOf.get(s)).filter((k) => k !== undefined));
    if (kernels.size > 0) return { of: d.name.text, text: [...kernels].map(printKernel).join('\n') };
  }
  return `\`${d.name.text}\` is in no model that compiles: its kernels depend on the sizes that a model gives it`;
}
