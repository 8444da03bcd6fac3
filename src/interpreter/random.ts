/**
 * Random numbers that are the same everywhere: xoshiro128** (Blackman, Vigna, "Scrambled linear pseudorandom number generators",
 * ACM TOMS 47, 2021), seeded from a number and a name, so that every tensor has a stream of its own.
 */
export class Random {
  readonly #state: Uint32Array;
  #spare: number | undefined;

  constructor(seed: number, name: string) {
    let hash = 0x811c9dc5; // FNV-1a over the name's code units
    for (let k = 0; k < name.length; k++) hash = Math.imul(hash ^ name.charCodeAt(k), 0x01000193);
    this.#state = Uint32Array.from([0, 1, 2, 3], (k) => mix(mix(mix(hash) ^ (seed >>> 0)) ^ mix(Math.floor(seed / 2 ** 32)) ^ Math.imul(k + 1, 0x9e3779b9)));
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
    for (let k = 0; k < 8; k++) this.#next();
  }
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    return ((this.#next() >>> 5) * 2 ** 26 + (this.#next() >>> 6)) * 2 ** -53;
  }
  /** Standard normal, by Box and Muller. */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
  /** An integer from low to high, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1));
  }

  #next(): number {
    const s = this.#state as unknown as [number, number, number, number];
    const result = Math.imul(rotate(Math.imul(s[1], 5), 7), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 11);
    return result;
  }
}
const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));
/** The finaliser of MurmurHash3: every input bit reaches every output bit. */
function mix(x: number): number {
  let h = x >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
