/**
 * A manifest as a generated module carries it: what its objects have in common is said once. Every list begins with a number: 0 before
 * the items of an array, k before the values of an object of shape k - 1.
 */
export type Packed = string | number | boolean | readonly Packed[];
/** The keys whose values follow, in their order, after what all objects of the shape share. */
export type PackedShape = readonly [shared: Readonly<Record<string, string | number | boolean>>, ...keys: string[]];

/** The value that was packed. Its type is the word of whoever packed it. */
export function unpack<T>(shapes: readonly PackedShape[], packed: Packed): T {
  const read = (p: Packed): unknown => {
    if (typeof p !== 'object') return p;
    const [kind, ...items] = p;
    if (!kind) return items.map(read);
    const [shared, ...keys] = shapes[(kind as number) - 1] as PackedShape;
    return { ...shared, ...Object.fromEntries(keys.map((key, k) => [key, read(items[k] as Packed)])) };
  };
  return read(packed) as T;
}
