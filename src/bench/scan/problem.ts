/**
 * The mean-coupled selective scan as a problem: inputs of a given shape, and the answer in float64.
 *
 * h^m_t = exp(dt^m_t A^m) (1/M) Σ_i h^i_{t-1} + dt^m_t B^m_t u^m_t,   y^m_t = Σ_n C^m_t h^m_t,   A = −exp(A_log)
 */

export interface ScanShape {
  readonly steps: number;
  readonly channels: number;
  readonly states: number;
  readonly modalities: number;
}

/** Row-major: dt, u [steps, modalities, channels]; B, C [steps, modalities, states]; aLog [modalities, channels, states]. */
export interface ScanProblem {
  readonly shape: ScanShape;
  readonly dt: Float32Array;
  readonly u: Float32Array;
  readonly B: Float32Array;
  readonly C: Float32Array;
  readonly aLog: Float32Array;
  /** The answer, [steps, modalities, channels]. */
  readonly y64: Float64Array;
  /** The answer without coupling: each modality a scan alone. */
  readonly uncoupled64: Float64Array;
}

/** A small generator (xorshift32): benchmarks need the same numbers every time, not good ones. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export function filled(count: number, next: () => number): Float32Array {
  return Float32Array.from({ length: count }, next);
}

/** What a scan is given. */
export type ScanInputs = Omit<ScanProblem, 'y64' | 'uncoupled64'>;

/** Magnitudes are those of a trained Mamba: dt log-uniform in [0.001, 0.1], A near −(n + 1). From step `quiet`, u is 0: states decay. */
export function scanInputs(shape: ScanShape, quiet = Infinity): ScanInputs {
  const random = numbers(12345);
  const { steps, channels, states, modalities } = shape;
  const rows = steps * modalities;
  const centred = (): number => 2 * random() - 1;
  const inputs = {
    shape,
    dt: filled(rows * channels, () => 0.001 * 100 ** random()),
    u: filled(rows * channels, centred),
    B: filled(rows * states, centred),
    C: filled(rows * states, centred),
    aLog: filled(modalities * channels * states, () => 0),
  };
  for (let i = 0; i < inputs.aLog.length; i++) inputs.aLog[i] = Math.log((i % states) + 1) + 0.2 * centred();
  if (quiet < steps) inputs.u.fill(0, quiet * modalities * channels);
  return inputs;
}

export function scanProblem(shape: ScanShape, quiet = Infinity): ScanProblem {
  const inputs = scanInputs(shape, quiet);
  return { ...inputs, y64: reference(inputs, true), uncoupled64: reference(inputs, false) };
}

function reference({ shape, dt, u, B, C, aLog }: ScanInputs, coupled: boolean): Float64Array {
  const { steps, channels, states, modalities } = shape;
  const size = modalities * channels * states;
  const A = Float64Array.from(aLog, (x) => -Math.exp(x));
  let before = new Float64Array(size);
  let h = new Float64Array(size);
  const y = new Float64Array(steps * modalities * channels);
  for (let t = 0; t < steps; t++) {
    for (let m = 0; m < modalities; m++) {
      for (let d = 0; d < channels; d++) {
        const at = (t * modalities + m) * channels + d;
        let out = 0;
        for (let n = 0; n < states; n++) {
          let past = 0;
          if (coupled) for (let i = 0; i < modalities; i++) past += before[(i * channels + d) * states + n]! / modalities;
          else past = before[(m * channels + d) * states + n]!;
          const place = (m * channels + d) * states + n;
          const small = (t * modalities + m) * states + n;
          h[place] = Math.exp(dt[at]! * A[place]!) * past + dt[at]! * B[small]! * u[at]!;
          out += C[small]! * h[place]!;
        }
        y[at] = out;
      }
    }
    [before, h] = [h, before];
  }
  return y;
}

/** max|y − y64| / max|y64|; infinite when lengths differ or a value isn't finite. */
export function normwiseError(y: ArrayLike<number>, y64: ArrayLike<number>): number {
  if (y.length !== y64.length) return Infinity;
  let worst = 0;
  let largest = 0;
  for (let i = 0; i < y.length; i++) {
    const difference = Math.abs(y[i]! - y64[i]!);
    if (!(difference <= Number.MAX_VALUE)) return Infinity;
    worst = Math.max(worst, difference);
    largest = Math.max(largest, Math.abs(y64[i]!));
  }
  return largest === 0 ? worst : worst / largest;
}
