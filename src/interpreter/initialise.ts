/** Weights as a spec's initialisers give them. Each stored tensor draws from a stream named by it: a new parameter changes no other's. */
import type { DefinitionId, DefinitionOf, Initialiser, Piece, Program } from '../ir/program.js';
import { InterpretError } from './error.js';
import { Evaluator } from './evaluate.js';
import { inverseSoftplus } from './functions.js';
import { Random } from './random.js';
import { definitionOf } from './order.js';
import { partPlaces, partShape, product, sizes, type Tensor } from './tensors.js';

/** A tensor per stored name. A parameter without an initialiser is 0. The seed is any non-negative integer. */
export function initialise(program: Program, seed: number): Map<string, Tensor> {
  const weights = new Map<string, Tensor>();
  for (const d of program.definitions) {
    if (d.kind !== 'param') continue;
    for (const piece of d.pieces) weights.set(piece.name, initialisePiece(program, d, piece, new Random(seed, piece.name)));
  }
  return weights;
}

function initialisePiece(program: Program, d: DefinitionOf<'param'>, piece: Piece, random: Random): Tensor {
  const draw = d.init ? sampler(program, d, d.init, random) : () => 0;
  return { shape: partShape(d, piece), data: Float64Array.from(partPlaces(d, piece), draw) };
}

/** The value of the element at a place of the parameter's dense order. Called in order of the stored elements. */
function sampler(program: Program, d: DefinitionOf<'param'>, init: Initialiser, random: Random): (place: number) => number {
  switch (init.kind) {
    case 'uniform': return () => init.a + (init.b - init.a) * random.uniform();
    case 'loguniform': return () => Math.exp(Math.log(init.a) + (Math.log(init.b) - Math.log(init.a)) * random.uniform());
    case 'normal': return () => init.a + init.b * random.normal();
    case 'map': {
      const [f, of] = [maps[init.op], sampler(program, d, init.of, random)];
      return (place) => f(of(place));
    }
    case 'expr': {
      if (d.type === 'complex') throw new InterpretError('program', `${d.name} is complex; stored tensors are real`);
      const evaluator = new Evaluator((id: DefinitionId) => definitionOf(program, id));
      const values = new Float64Array(product(sizes(d)));
      evaluator.filler(init.over, init.expr, false)(values, 0);
      return (place) => values[place] as number;
    }
  }
}
const maps: { readonly [K in Extract<Initialiser, { kind: 'map' }>['op']]: (x: number) => number } = {
  inverse_softplus: inverseSoftplus, log: Math.log, exp: Math.exp, neg: (x) => -x,
};
