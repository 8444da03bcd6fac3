/** `ssmc bench`: ours beside its peers, in one run. */
import { cpus } from 'node:os';
import { nearest } from '../check/names.js';
import { clockInUse, useClock, type Clock } from '../bench/clock.js';
import type { Bench, Result } from '../bench/contest.js';
import { resultText, tally, type Paint } from '../bench/report.js';
import { pick, suite } from '../bench/suite.js';
import { help, json, type Command } from './command.js';
import { colours, UsageError, type Io } from './io.js';

export const benchCommand: Command = {
  name: 'bench', usage: 'bench [NAME...]',
  help: 'Measures scans, matrix products and whole models beside their peers (TypeScript, C, PyTorch, ONNX Runtime, XNNPACK), interleaved in one run, as ratios. Peers that are not here are skipped.',
  options: {
    list: { type: 'boolean', help: 'the benches there are; a name or its first part picks them' },
    rounds: { type: 'string', value: 'N', help: 'interleaved rounds at least (default 5); more while minima still fall' },
    quick: { type: 'boolean', help: 'one round: rough figures, to see that all run' },
    clock: { type: 'string', value: 'NAME', help: 'wall (default), or processor: the time of each contestant\'s own process, where others use the machine', choices: ['wall', 'processor'] },
    device: { type: 'string', value: 'NAME', help: 'those of one device alone: cpu, webgpu or cuda (default: all)', choices: ['cpu', 'webgpu', 'cuda'] },
    json, help,
  },
  run: async (args, io) => {
    const device = args.text('device');
    const benches = chosen(args.positionals).filter((b) => device === undefined || (b.device ?? 'cpu') === device);
    if (benches.length === 0) throw new UsageError(`none of these benches runs on ${device}: \`ssmc bench --list --device ${device}\` names those that do`);
    if (args.flag('list')) {
      io.out(args.flag('json') ? `${JSON.stringify(benches.map(({ name, title }) => ({ name, title })))}\n` : benches.map((b) => `${b.name.padEnd(20)} ${b.title}\n`).join(''));
      return 0;
    }
    useClock((args.text('clock') ?? 'wall') as Clock);
    const rounds = args.flag('quick') ? 1 : args.count('rounds', 5);
    const results: Result[] = [];
    const machine = { processor: cpus()[0]?.model.trim() ?? 'unknown', cores: cpus().length, node: process.version, clock: clockInUse() };
    if (!args.flag('json')) io.out(`${machine.processor}, ${machine.cores} cores, Node ${machine.node}, ${machine.clock} clock; a GPU is used by \`--device webgpu\` and \`--device cuda\` alone\n\n`);
    for (const bench of benches) {
      const found = await bench.run({ rounds, cap: args.flag('quick') ? 0 : 20_000, onProgress: progress(io) });
      progress(io)('');
      results.push(...found);
      if (!args.flag('json')) for (const r of found) io.out(`${resultText(r, paint(io))}\n`);
    }
    if (args.flag('json')) io.out(`${JSON.stringify({ machine, results })}\n`);
    else {
      const { met, missed, unmeasured } = tally(results);
      io.out(`goals: ${met} met, ${missed} not met, ${unmeasured} not measured\n`);
    }
    return 0;
  },
};

function chosen(names: readonly string[]): readonly Bench[] {
  if (names.length === 0) return suite;
  const wanted = new Set(names.flatMap((name) => {
    const found = pick(suite, name);
    if (found) return found;
    const known = suite.flatMap((b) => [b.name, b.name.split('/')[0] as string]);
    const near = nearest(name, known);
    throw new UsageError(`there is no bench \`${name}\`; ${near === undefined ? '' : `did you mean \`${near}\`? `}\`ssmc bench --list\` names those that there are`);
  }));
  return suite.filter((b) => wanted.has(b));
}
/** One line that is written over, on a terminal only. */
function progress(io: Io): (text: string) => void {
  return (text) => {
    if (io.terminal) io.err(`\r\x1b[K${text}`);
  };
}
function paint(io: Io): Paint {
  const c = colours(io);
  return { good: c.cyan, bad: c.red, dim: c.dim };
}
