/** How load-time values come to lie in the order in which a run-time kernel reads them: strides, which the runtime goes through. */
import type { Launch } from '../../runtime/manifest.js';
import type { Layout, PackedConstant } from './layout.js';

export function packLaunch(packed: PackedConstant, layout: Layout): Launch {
  const source = layout.of(packed.def);
  const sum = (of: (index: PackedConstant['at'][number]) => number): number => packed.at.reduce((n, a, p) => n + of(a) * (source.strides[p] as number), 0);
  return {
    kind: 'pack', from: layout.id(source.buffer), to: layout.id(packed.buffer), offset: source.offset + sum((a) => a.constant),
    dimensions: packed.dimensions.map((d, q) => [d.size, sum((a) => a.coefficients[q] as number), d.stride, d.tile ?? 1]),
  };
}
