/**
 * `using model = await Mex.load()`: models have [Symbol.dispose] in their types wherever the library that a program is compiled with has the symbol
 * (TypeScript's esnext.disposable). None is asked for.
 */
type DisposeSymbol = typeof globalThis extends { readonly Symbol: { readonly dispose: infer S extends symbol } } ? S : never;
export type Disposing = { readonly [S in DisposeSymbol]: () => void };
