/** What `npm run test:gpu` found, as the table of targets/cuda/README.md. Figures of the test driver are marked so, in every row. */

/** The driver for tests calls its devices so; no GPU has such a name. */
export const isEmulated = (device) => device.startsWith('Test device');

const [begin, end] = ['<!-- hardware: begin -->', '<!-- hardware: end -->'];
/** The page with another table. @throws Error where it has no place for one. */
export function placed(page, table) {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no ${begin} … ${end}`);
  return `${page.slice(0, from + begin.length)}\n${table}\n${page.slice(to)}`;
}

const giga = (perSecond) => (perSecond >= 1e12 ? (perSecond / 1e9).toFixed(0) : (perSecond / 1e9).toPrecision(3));
const share = (got, most) => (most > 0 ? ` (${((100 * got) / most).toFixed(1)} %)` : '');
const row = (cells) => `| ${cells.map((c) => String(c).replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;

/** `checks`: { name, passed, of }; `benches`: results of `ssmc bench --json`. */
export function tableOf({ device, node, nvcc, checks, benches }) {
  const emulated = isEmulated(device);
  const on = emulated ? 'EMULATION' : 'GPU';
  const limits = benches.find((b) => b.device)?.device;
  return [
    ...(emulated ? ['**EMULATION: these are figures of the test driver, which runs the kernels on a CPU. None of them is a GPU\'s.**', ''] : []),
    `${emulated ? 'EMULATION, not a GPU: ' : ''}${device}; Node ${node}; ${nvcc}${limits ? `; at most ${giga(limits.bytesPerSecond)} GB/s and ${giga(limits.exponentialsPerSecond)} G exponentials/s by the driver's attributes` : ''}.`, '',
    row(['on', 'check', 'passed', 'of']), row(Array(4).fill('---')),
    ...checks.map((c) => row([on, c.name, c.passed, c.of])), '',
    row(['on', 'bench', 'contestant', 'ms', 'times ours', 'GB/s', 'G exponentials/s', 'error']), row(Array(8).fill('---')),
    ...benches.flatMap(({ name, device: most, rows }) => rows.map((r) => (r.ms === undefined
      ? row([on, name, r.name, `not measured: ${r.skipped}`, '', '', '', ''])
      : row([on, name, r.name, r.ms.toPrecision(3), r.ratio?.toFixed(2) ?? '', r.bytesPerSecond === undefined ? '' : giga(r.bytesPerSecond) + share(r.bytesPerSecond, most?.bytesPerSecond), r.exponentialsPerSecond === undefined ? '' : giga(r.exponentialsPerSecond) + share(r.exponentialsPerSecond, most?.exponentialsPerSecond), r.error?.toExponential(1) ?? ''])))),
  ].join('\n');
}
