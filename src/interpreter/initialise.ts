/**
 * Weights as a spec's initialisers give them. Each stored tensor draws from a stream named by it, so a new parameter changes no other's.
 * What an initialiser reads is computed first: draws, other parameters' initial values, equations of these and of indices.
 */
import { dependencies, reads } from '../ir/builder.js';
import type { Definition, DefinitionId, DefinitionOf, Draw, Program } from '../ir/program.js';
import { InterpretError } from './error.js';
import { Evaluator } from './evaluate.js';
import { eigenOf } from './hermitian.js';
import { inverseOf } from './matrix.js';
import { Random } from './random.js';
import { definitionOf } from './order.js';
import { partPlaces, partShape, stepSize, type Tensor } from './tensors.js';

/** A tensor per stored name. A parameter without an initialiser is 0. The seed is any non-negative integer. */
export function initialise(program: Program, seed: number): Map<string, Tensor> {
  const weights = new Map<string, Tensor>();
  const values = new InitialValues(program, seed);
  for (const d of program.definitions) {
    if (d.kind !== 'param') continue;
    const array = values.of(d.id);
    for (const piece of d.pieces) weights.set(piece.name, { shape: partShape(d, piece), data: Float64Array.from(partPlaces(d, piece), (place) => array[place] as number) });
  }
  return weights;
}

class InitialValues {
  readonly #program: Program;
  readonly #seed: number;
  readonly #evaluator: Evaluator;
  readonly #done = new Set<DefinitionId>();

  constructor(program: Program, seed: number) {
    this.#program = program;
    this.#seed = seed;
    this.#evaluator = new Evaluator((id) => definitionOf(program, id));
  }
  /** The definition's values, dense; computed once, after what it reads. */
  of(id: DefinitionId): Float64Array {
    const cell = this.#evaluator.cell(id);
    if (this.#done.has(id)) return cell.data;
    this.#done.add(id);
    const d = definitionOf(this.#program, id);
    for (const need of d.kind === 'param' && d.init ? reads(d.init.expr) : dependencies(d)) this.of(need);
    cell.data = this.#compute(d);
    return cell.data;
  }
  #compute(d: Definition): Float64Array {
    const data = new Float64Array(stepSize(d));
    switch (d.kind) {
      case 'param': if (d.init) this.#evaluator.filler(d.init.over, d.init.expr, false)(data, 0); return data;
      case 'draw': return this.#drawn(d, data);
      case 'equation': {
        if (d.time) throw new InterpretError('program', `${d.name} has time, and a parameter is initialised from it`);
        this.#evaluator.filler(d.indices, d.body, d.type === 'complex')(data, 0);
        return data;
      }
      case 'inverse': return inverseOf(d, definitionOf(this.#program, d.matrix), this.of(d.matrix));
      case 'eigen': return eigenOf(d, definitionOf(this.#program, d.matrix), this.of(d.matrix));
      case 'input': case 'stack': throw new InterpretError('program', `a parameter is initialised from ${d.name}`);
    }
  }
  /** In order of the stored elements, a stream for each stored tensor; a parameter's further draws have streams of their own. */
  #drawn(d: DefinitionOf<'draw'>, data: Float64Array): Float64Array {
    const param = definitionOf(this.#program, d.param) as DefinitionOf<'param'>;
    const ordinal = this.#program.definitions.filter((x) => x.kind === 'draw' && x.param === d.param).indexOf(d);
    for (const piece of param.pieces) {
      const next = sampler(d.draw, new Random(this.#seed, ordinal === 0 ? piece.name : `${piece.name}#${ordinal}`));
      for (const place of partPlaces(param, piece)) data[place] = next();
    }
    return data;
  }
}

function sampler({ kind, a, b }: Draw, random: Random): () => number {
  switch (kind) {
    case 'uniform': return () => a + (b - a) * random.uniform();
    case 'loguniform': return () => Math.exp(Math.log(a) + (Math.log(b) - Math.log(a)) * random.uniform());
    case 'normal': return () => a + b * random.normal();
  }
}
