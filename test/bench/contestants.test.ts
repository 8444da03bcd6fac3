/** Every contestant's answer at small sizes, against float64; never its time. Peers whose tools are missing here are skipped. */
import { join } from 'node:path';
import { describe, expect, it, vi, type TestContext } from 'vitest';
import { compileSpec } from '../../src/bench/ours.js';
import { PeerProcess, peerSource, pythonWith, pythonWithTorch } from '../../src/bench/peer-process.js';
import { Unavailable, type Contestant } from '../../src/bench/contest.js';
import { productContest } from '../../src/bench/matmul/contests.js';
import { modelContest, ourProcess } from '../../src/bench/models/contests.js';
import { mexProblem, moseiProblem, peerInput, randomInputs } from '../../src/bench/models/description.js';
import { attentionAnswer, coupledAnswers } from '../../src/bench/models/reference.js';
import { scanContest } from '../../src/bench/scan/contests.js';
import { ourInvariantScan, ourScan, selectiveSpec } from '../../src/bench/scan/ours.js';
import { mambaScan } from '../../src/bench/scan/processes.js';
import { normwiseError, scanInputs, scanProblem } from '../../src/bench/scan/problem.js';
import { interpret } from '../../src/interpreter/interpret.js';

function agrees(contestant: Contestant, tolerance: number): void {
  it(contestant.name, async (context: TestContext) => {
    const error = await errorOf(contestant, context);
    if (error !== undefined) expect(error).toBeLessThan(tolerance);
  });
}
/** Undefined where there is nothing to check; the test is skipped, with the reason, where tools are missing. */
async function errorOf(contestant: Contestant, context: TestContext): Promise<number | undefined> {
  try {
    const ready = await contestant.prepare();
    try {
      await ready.run();
      return await ready.error?.();
    } finally {
      await ready.close?.();
    }
  } catch (fault) {
    if (fault instanceof Unavailable) context.skip(fault.message);
    throw fault;
  }
}

for (const modalities of [3, 1]) {
  describe(`the scan of ${modalities}`, () => {
    const problem = scanProblem({ steps: 37, channels: 24, states: 5, modalities });
    for (const contestant of [...scanContest(problem, []).contestants, ourInvariantScan(problem)]) agrees(contestant, 2e-6);
  });
}
describe('mamba_ssm\'s kernel, by a loop that takes the same', () => {
  it('is called once for each modality, uncoupled', async (context) => {
    const problem = scanProblem({ steps: 19, channels: 6, states: 4, modalities: 3 });
    vi.stubEnv('PYTHONPATH', join(import.meta.dirname, 'stub'));
    const error = await errorOf(mambaScan(problem, 'cpu'), context);
    vi.unstubAllEnvs();
    expect(error).toBeLessThan(1e-6);
  });
  it('a Python that lacks something is not taken', () => {
    expect(pythonWith('sh', 'exit 0', 'it lacks it')).toBe('sh');
    expect(() => pythonWith('sh', 'exit 1', 'it lacks it')).toThrow(new Unavailable('it lacks it'));
  });
});
describe('the scan as a problem', () => {
  const shape = { steps: 9, channels: 8, states: 3, modalities: 2 };
  const problem = scanProblem(shape);
  it('has the answer that the interpreter gives to its spec', () => {
    const { program } = compileSpec(selectiveSpec(shape));
    const weights = new Map(['first', 'second'].map((m, k) => [`${m}.A_log`, { shape: [8, 3], data: Float64Array.from(problem.aLog.subarray(k * 24, (k + 1) * 24)) }]));
    const member = (x: Float32Array, size: number, m: number): Float64Array => Float64Array.from({ length: 9 * size }, (_, i) => x[(Math.floor(i / size) * 2 + m) * size + (i % size)] as number);
    const inputs = new Map(['first', 'second'].flatMap((label, m) => ([['dt', problem.dt, 8], ['u', problem.u, 8], ['B', problem.B, 3], ['C', problem.C, 3]] as const)
      .map(([name, x, size]) => [`${name}.${label}`, { shape: [1, 9, size], data: member(x, size, m) }] as const)));
    expect(normwiseError(interpret(program, weights, inputs).outputs.get('y')?.data ?? [], problem.y64)).toBeLessThan(1e-14);
  });
  it('notices wrong answers, of wrong lengths and not finite', () => {
    const y = Float32Array.from(problem.y64);
    expect(normwiseError(y, problem.y64)).toBeLessThan(1e-7);
    expect(normwiseError(y.subarray(1), problem.y64)).toBe(Infinity);
    expect(normwiseError(y.with(3, NaN), problem.y64)).toBe(Infinity);
    expect(normwiseError(problem.uncoupled64, problem.y64)).toBeGreaterThan(1e-3);
  });
  it('falls silent where it is told to, and is otherwise the same', async () => {
    const quiet = scanInputs(shape, 4);
    expect([...quiet.u.subarray(0, 4 * 16)]).toEqual([...problem.u.subarray(0, 4 * 16)]);
    expect(quiet.u.subarray(4 * 16).every((x) => x === 0)).toBe(true);
    expect(quiet.dt).toEqual(problem.dt);
    const error = await (await ourScan(scanProblem(shape, 4)).prepare()).error?.();
    expect(error).toBeLessThan(2e-6);
  });
});

for (const shape of [{ rows: 13, from: 24, to: 20 }, { rows: 5, from: 7, to: 3 }]) {
  describe(`a product of ${shape.rows}x${shape.from} and ${shape.from}x${shape.to}`, () => {
    for (const contestant of productContest(shape).contestants) agrees(contestant, 2e-6);
  });
}

describe('whole models', () => {
  const { problem, inputs, logits } = mexProblem();
  it('have a float64 reference that gives the logits of the trained model', () => {
    expect(normwiseError(coupledAnswers(problem, inputs, [64])[0] ?? [], logits)).toBeLessThan(1e-12);
  });
  for (const contestant of modelContest({ problem, inputs, batch: 1, steps: 64, expected: new Map([[0, logits]]), attention: new Map([[0, attentionAnswer(problem, inputs, 64)]]) }).contestants) agrees(contestant, 5e-6);

  describe('of the paper, two rows of 6 steps', () => {
    const mosei = moseiProblem();
    const rows = randomInputs(mosei.sizes, 2, 6);
    const alone = (b: number): Float32Array[] => rows.map((x) => x.subarray((b * x.length) / 2, ((b + 1) * x.length) / 2));
    const expected = new Map([0, 1].map((b) => [b, coupledAnswers(mosei, alone(b), [3, 6])[1] as Float64Array]));
    const attention = new Map([0, 1].map((b) => [b, attentionAnswer(mosei, alone(b), 6)]));
    for (const contestant of modelContest({ problem: mosei, inputs: rows, batch: 2, steps: 6, expected, attention }).contestants) agrees(contestant, 5e-6);
    it('give a prefix the answer that it has alone', () => {
      const short = coupledAnswers(mosei, alone(0).map((x) => x.subarray(0, x.length / 2)), [3]);
      expect(short[0]).toEqual(coupledAnswers(mosei, alone(0), [3, 6])[0]);
    });
  });
});

describe('peak memory', () => {
  it('is told by PyTorch\'s process in bytes', async (context) => {
    await skippable(context, async () => {
      const { problem, inputs } = mexProblem();
      const peer = new PeerProcess(pythonWithTorch(), [peerSource('models.py'), 'attention'], peerInput(problem, inputs, 1, 64, 'attention'));
      await peer.run();
      const bytes = await peer.memory();
      peer.close();
      if (bytes !== undefined) expect(bytes).toBeGreaterThan(100_000);
    });
  });
  it('is told by our own process, which gives the answer of run()', async (context) => {
    await skippable(context, async () => {
      const mosei = moseiProblem();
      const expected = coupledAnswers(mosei, randomInputs(mosei.sizes, 1, 5), [5])[0] as Float64Array;
      const peer = ourProcess({ problem: mosei, inputs: [], batch: 1, steps: 5, expected: new Map(), attention: new Map() });
      await peer.run();
      const bytes = await peer.memory();
      const y = await peer.result();
      peer.close();
      expect(normwiseError(y, expected)).toBeLessThan(5e-6);
      if (bytes !== undefined) expect(bytes).toBeGreaterThan(1_000_000);
    });
  });
});
async function skippable(context: TestContext, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (fault) {
    if (fault instanceof Unavailable) context.skip(fault.message);
    throw fault;
  }
}
