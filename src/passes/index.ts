/** The passes over programs. The order in which they run is in ../compile.ts. */
export { base2 } from './base2.js';
export { collapseCoupling } from './collapse-coupling.js';
export { foldInvariant } from './fold-invariant.js';
export { hoistLoadTime } from './hoist-load-time.js';
export { increment } from './increment.js';
export { lateInitial } from './late-initial.js';
export { mergeContractions } from './merge-contractions.js';
export type { Pass } from './pass.js';
export { readPastEnd } from './read-past-end.js';
export { reassociate } from './reassociate.js';
export { meansToSums, simplify } from './simplify.js';
export { splitComplex } from './split-complex.js';
export { splitRagged } from './split-ragged.js';
export { stabilityReport, type StabilityReport } from './stability.js';
export { twoParts } from './two-parts.js';
