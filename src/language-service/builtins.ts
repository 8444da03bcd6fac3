/** What the language itself names, in a sentence each: for hovers and completion. */

export interface Builtin {
  readonly signature: string;
  readonly text: string;
}
const table = (rows: readonly (readonly [name: string, signature: string, text: string])[]): ReadonlyMap<string, Builtin> =>
  new Map(rows.map(([name, signature, text]) => [name, { signature, text }]));

export const functions = table([
  ['exp', 'exp(x)', 'eˣ, of a complex number too.'],
  ['expm1', 'expm1(x)', 'eˣ − 1, exact for small x.'],
  ['log', 'log(x)', 'The natural logarithm.'],
  ['sqrt', 'sqrt(x)', 'The square root.'],
  ['rsqrt', 'rsqrt(x)', '1 / √x.'],
  ['sigmoid', 'sigmoid(x)', '1 / (1 + e⁻ˣ).'],
  ['silu', 'silu(x)', 'x · sigmoid(x).'],
  ['softplus', 'softplus(x)', 'log(1 + eˣ), exact for small results.'],
  ['inverse_softplus', 'inverse_softplus(y)', 'What softplus maps to y.'],
  ['relu', 'relu(x)', 'max(x, 0).'],
  ['gelu', 'gelu(x)', 'x · Φ(x), in the exact form with erf.'],
  ['tanh', 'tanh(x)', 'The hyperbolic tangent.'],
  ['sin', 'sin(x)', 'The sine of x radians.'],
  ['cos', 'cos(x)', 'The cosine of x radians.'],
  ['abs', 'abs(x)', 'The absolute value, of a complex number too.'],
  ['floor', 'floor(x)', 'The largest whole number up to x.'],
  ['ceil', 'ceil(x)', 'The smallest whole number from x.'],
  ['min', 'min(x, y)', 'The smaller of two; `min(c: ...)` reduces along an axis.'],
  ['max', 'max(x, y)', 'The larger of two; `max(c: ...)` reduces along an axis.'],
  ['where', 'where(condition, x, y)', 'x where the condition holds, else y.'],
  ['complex', 'complex(x, y)', 'x + iy.'],
  ['re', 're(z)', 'The real part.'],
  ['im', 'im(z)', 'The imaginary part.'],
  ['conj', 'conj(z)', 'The complex conjugate.'],
  ['size', 'size(axis)', 'How many members an axis has.'],
]);
export const reductions = table([
  ['sum', 'sum(i: ...)', 'The sum along an axis or over time; over time it is compensated.'],
  ['mean', 'mean(i: ...)', 'The mean along an axis or over time.'],
  ['max', 'max(i: ...)', 'The largest along an axis or over time.'],
  ['min', 'min(i: ...)', 'The smallest along an axis or over time.'],
  ['last', 'last(i: ...)', 'The last member of an axis, or the last step.'],
  ['softmax', 'softmax(i: ...)', 'exp(x) normalised along an axis; still indexed by it.'],
  ['inverse', 'inverse(n, k: ...)', 'An element of the inverse of a matrix that is known when weights are bound.'],
  ['eigenvalues', 'eigenvalues(n, k: ...)', 'Those of a Hermitian matrix, ascending; in initialisers.'],
  ['eigenvectors', 'eigenvectors(n, k: ...)', 'Element n of the k-th unit eigenvector of a Hermitian matrix; in initialisers.'],
]);
export const initialisers = table([
  ['uniform', 'uniform(a, b)', 'Draws from a to b.'],
  ['loguniform', 'loguniform(a, b)', 'Draws whose logarithm is uniform.'],
  ['normal', 'normal(mean, deviation)', 'Normal draws.'],
]);
export const constants = table([
  ['t', 't', 'The step of the sequence; `x[t-1]` reads the step before. What lies outside the sequence is 0.'],
  ['pi', 'pi', '3.14159…'],
  ['inf', 'inf', 'Infinity: the start of a maximum.'],
]);
export const statementKeywords = table([
  ['axis', 'axis d = 2 * c', 'An index with a size; `axis i = m` is a second index over the same members.'],
  ['modalities', 'modalities m = audio[74], text[768]', 'A labelled axis whose members may differ in feature size.'],
  ['input', 'input x[t, c]', 'What the model is given.'],
  ['param', 'param w[c] = normal(0, 0.1)', 'A stored tensor, and how to initialise it.'],
  ['state', 'state h[t, c] = a[c] * h[t-1, c] + x[t, c]', 'An equation that reads itself at another step.'],
  ['initial', 'initial h[c] = start[c]', 'What stands before the first step of a state; after the last, of one that reads ahead.'],
  ['output', 'output y[t, c] = h[t, c]', 'What the model answers, or the value of a block.'],
  ['fact', 'fact dt > 0.001', 'An interval that every element of a definition is assumed to lie in.'],
  ['match', 'match coupling { mean => ..., sum => ... }', 'Chooses by an option that names choices.'],
  ['repeat', 'repeat 3 as layers { ... }', 'Statements again and again; what they rebind feeds the next round.'],
  ['rename', 'rename "{m}.w" to "w.{m}"', 'Maps names of instances to the names that tensors are stored under.'],
]);
export const fileKeywords = table([
  ['import', 'import Mamba from "std"', 'Blocks of the standard library, or of a file next to this one.'],
  ['block', 'block Name(x[t, c], width = 4) { ... }', 'A part to instantiate: arrays and options in, one output.'],
  ['model', 'model Name { ... }', 'What is compiled.'],
]);

export function builtin(name: string): Builtin | undefined {
  return functions.get(name) ?? reductions.get(name) ?? initialisers.get(name) ?? constants.get(name);
}
