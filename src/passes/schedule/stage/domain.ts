/** Loops over a stage's domain, the tile of lanes innermost. */
import type { Int } from '../../../ir/kernel.js';
import type { Index } from '../../../ir/program.js';
import { iadd, int } from '../ints.js';
import { placeOf, type Env } from '../places.js';
import { loopName, type StageContext } from './context.js';

export class Domain {
  readonly #c: StageContext;
  /** The vectors of the lane tile at hand: fewer where an axis ends inside it. */
  #vectors: readonly number[] = [0];

  constructor(c: StageContext) {
    this.#c = c;
  }
  /** Every point; `bind` gives the same point under another row. */
  each(root: Env, body: (env: Env, bind: (root: Env) => Env) => void): void {
    const { stage, shape, w, envs } = this.#c;
    const outer = stage.domain.filter((i) => i !== shape.lane);
    const binds: ((e: Env) => Env)[] = [];
    const bind = (e: Env): Env => binds.reduce((x, f) => f(x), e);
    const rest = (k: number): void => {
      const index = outer[k];
      if (index) {
        w.loop(loopName(index.name), int(0), int(index.axis.size), 1, { parallel: true }, (i) => {
          binds.push((e) => envs.bind(e, index, { int: i, lane: false }));
          rest(k + 1);
          binds.pop();
        });
      } else if (shape.lane) this.#laneTiles(shape.lane, (v) => { binds.push(v); body(bind(root), bind); binds.pop(); });
      else body(bind(root), bind);
    };
    rest(0);
  }
  #laneTiles(lane: Index, body: (bind: (e: Env) => Env) => void): void {
    const { lanes, shape: { vectors }, w, envs } = this.#c;
    const tile = lanes * vectors;
    const { size } = lane.axis;
    const whole = Math.floor(size / tile) * tile;
    const at = (base: Int, count: number): void => {
      this.#vectors = Array.from({ length: count }, (_, k) => k);
      body((e) => envs.bind(e, lane, { int: base, lane: true, tile: { base, vector: 0 } }));
    };
    w.loop(loopName(lane.name), int(0), int(whole), tile, { lanes: true, parallel: true }, (base) => at(base, vectors));
    if (whole < size) at(int(whole), Math.ceil((size - whole) / lanes));
  }
  /** One environment per vector of the lane tile. */
  copies(env: Env): Env[] {
    const { lanes, shape: { lane }, envs } = this.#c;
    if (!lane) return [env];
    const base = placeOf(env, lane).int;
    return this.#vectors.map((v) => (v === 0 ? env : envs.bind(env, lane, { int: iadd(base, int(v * lanes)), lane: true, tile: { base, vector: v } })));
  }
  /** Every member of the indices given, one after another. */
  members(indices: readonly Index[], root: Env, body: (env: Env) => void): void {
    const rest = (k: number, env: Env): void => {
      const index = indices[k];
      if (!index) { body(env); return; }
      this.#c.w.loop(loopName(index.name), int(0), int(index.axis.size), 1, {}, (i) => rest(k + 1, this.#c.envs.bind(env, index, { int: i, lane: false })));
    };
    rest(0, root);
  }
}
