/** Strongly connected components of a graph, in the order of dependencies: what a component needs comes before it (Tarjan 1972). */
export function components<T>(nodes: readonly T[], edges: (node: T) => Iterable<T>): T[][] {
  const known = new Set(nodes);
  const index = new Map<T, number>();
  const low = new Map<T, number>();
  const stack: T[] = [];
  const onStack = new Set<T>();
  const out: T[][] = [];
  const enter = (v: T): void => { index.set(v, index.size); low.set(v, index.get(v) as number); stack.push(v); onStack.add(v); };
  for (const root of nodes) {
    if (index.has(root)) continue;
    // An explicit stack: specs may chain thousands of definitions.
    const work: { v: T; next: Iterator<T> }[] = [];
    enter(root);
    work.push({ v: root, next: edges(root)[Symbol.iterator]() });
    while (work.length > 0) {
      const top = work.at(-1) as { v: T; next: Iterator<T> };
      const step = top.next.next();
      if (!step.done) {
        const w = step.value;
        if (!known.has(w)) continue;
        if (!index.has(w)) {
          enter(w);
          work.push({ v: w, next: edges(w)[Symbol.iterator]() });
        } else if (onStack.has(w)) {
          low.set(top.v, Math.min(low.get(top.v) as number, index.get(w) as number));
        }
        continue;
      }
      work.pop();
      const parent = work.at(-1);
      if (parent) low.set(parent.v, Math.min(low.get(parent.v) as number, low.get(top.v) as number));
      if (low.get(top.v) === index.get(top.v)) {
        const group: T[] = [];
        for (let w: T | undefined; w !== top.v;) {
          w = stack.pop() as T;
          onStack.delete(w);
          group.push(w);
        }
        out.push(group.toReversed());
      }
    }
  }
  return out;
}
