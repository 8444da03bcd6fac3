/** The files that the compiler reads in this page: the standard library, and the examples as they stand in the repository. */
const examplesAsBundled = import.meta.glob<string>('../*/*.ssm', { query: '?raw', import: 'default', eager: true });
const libraryAsBundled = import.meta.glob<string>('../../grammar/std/*.ssm', { query: '?raw', import: 'default', eager: true });

/** 'mex/mex.ssm' → text. */
export const examples: ReadonlyMap<string, string> = new Map(Object.entries(examplesAsBundled).map(([path, text]) => [path.replace('../', ''), text]));
/** 'std/mamba.ssm' → text. */
export const std: ReadonlyMap<string, string> = new Map(Object.entries(libraryAsBundled).map(([path, text]) => [path.replace('../../grammar/', ''), text]));
