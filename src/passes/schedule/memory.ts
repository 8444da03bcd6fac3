/**
 * Rows that are not alive together share memory. A buffer lives from the stage that writes it to the last that reads it; inputs from the
 * start, outputs to the end.
 */
import type { Kernel } from '../../ir/kernel.js';
import type { Layout } from './layout.js';

export function planRows(layout: Layout, kernels: readonly Kernel[], fromStart: ReadonlySet<string>, toEnd: ReadonlySet<string>): void {
  const first = new Map<string, number>();
  const last = new Map<string, number>();
  kernels.forEach((k, at) => {
    for (const p of k.parameters) {
      if (p.kind !== 'buffer') continue;
      if (!first.has(p.name)) first.set(p.name, fromStart.has(p.name) ? -1 : at);
      last.set(p.name, at);
    }
  });
  const rows = layout.buffers.flatMap((b) => (b.kind === 'rows' ? [{ name: b.name, row: b.row, element: b.element }] : []));
  const alive = rows.map((r) => ({ ...r, first: fromStart.has(r.name) ? -1 : (first.get(r.name) ?? -1), last: toEnd.has(r.name) ? Infinity : (last.get(r.name) ?? Infinity) }));
  alive.sort((a, b) => a.first - b.first);
  const slots: { row: number; until: number; element: string | undefined }[] = [];
  for (const r of alive) {
    const free = slots.map((s, k) => ({ s, k })).filter(({ s }) => s.until < r.first && s.element === r.element);
    // The slot whose size is nearest: growing one wastes what it grows by.
    free.sort((a, b) => Math.abs(a.s.row - r.row) - Math.abs(b.s.row - r.row));
    const k = free[0]?.k ?? slots.length;
    slots[k] = { row: Math.max(slots[k]?.row ?? 0, r.row), until: r.last, element: r.element };
    layout.setSlot(r.name, k);
  }
}
