/** `ssmc weights`: what a spec asks for; make it, or hold a file against it. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { nearest } from '../check/names.js';
import { initialise } from '../interpreter/initialise.js';
import type { Initialiser, Program } from '../ir/program.js';
import { printExpr } from '../ir/print-program.js';
import { writeSafetensors } from '../runtime/index.js';
import { build } from './build.js';
import { help, json, model, type Command } from './command.js';
import { UsageError } from './io.js';
import { openTensors, wantedKind, weightProblems } from './tensors.js';

export const weightsCommand: Command = {
  name: 'weights', usage: 'weights SPEC [--init SEED --out F | --check F]',
  help: 'Lists the tensors that a spec asks for, with their shapes and initialisers; writes them initialised; or holds a file against them.',
  options: {
    init: { type: 'string', value: 'SEED', help: 'initialise them from this seed' },
    out: { type: 'string', value: 'FILE', help: 'where to write them (float32)' },
    check: { type: 'string', value: 'FILE', help: 'compare a safetensors file with them' },
    model, json, help,
  },
  run: (args, io) => {
    const built = build(args, io, { quiet: true });
    if (!built) return 1;
    const { weights } = built.module.manifest;
    const check = args.text('check');
    if (args.text('init') !== undefined) {
      const out = args.text('out');
      if (out === undefined) throw new UsageError('--init needs --out');
      const made = initialise(built.program, args.count('init', 0, 0));
      writeFileSync(resolve(io.cwd, out), writeSafetensors(new Map([...made].map(([n, t]) => [n, { shape: t.shape, data: Float32Array.from(t.data) }]))));
      if (args.flag('json')) io.out(`${JSON.stringify({ file: out, tensors: made.size })}\n`);
      return 0;
    }
    if (check !== undefined) {
      const file = openTensors(check, 'weights', io);
      const wanted = new Set(weights.map((w) => w.name));
      const spare = file.names.filter((n) => !wanted.has(n));
      const problems = weightProblems(file, built.module.manifest);
      const missing = problems.missing.map((w) => ({ name: w.name, shape: w.shape, nearest: nearest(w.name, spare) ?? null }));
      const wrong = problems.wrong.map((w) => ({ name: w.name, want: w.shape, got: w.got }));
      const kinds = problems.kinds.map((w) => ({ name: w.name, dtype: w.dtype }));
      if (args.flag('json')) io.out(`${JSON.stringify({ missing, wrong, kinds, extra: spare })}\n`);
      else {
        for (const m of missing) io.out(`missing ${m.name} [${m.shape.join(', ')}]${m.nearest === null ? '' : `; nearest: ${m.nearest}`}\n`);
        for (const w of wrong) io.out(`shape of ${w.name}: expected [${w.want.join(', ')}], got [${w.got.join(', ')}]\n`);
        for (const k of kinds) io.out(`${k.name}: ${wantedKind}, got ${k.dtype}\n`);
        for (const n of spare) io.out(`not asked for: ${n}\n`);
      }
      return missing.length + wrong.length + kinds.length > 0 ? 1 : 0;
    }
    const inits = new Map(built.program.definitions.flatMap((d) => (d.kind === 'param' ? d.pieces.map((p) => [p.name, d.init ? initText(built.program, d.init) : '0'] as const) : [])));
    if (args.flag('json')) io.out(`${JSON.stringify(weights.map((w) => ({ name: w.name, shape: w.shape, init: inits.get(w.name) ?? '0' })))}\n`);
    else for (const w of weights) io.out(`${w.name}  [${w.shape.join(', ')}]  ${inits.get(w.name) ?? '0'}\n`);
    return 0;
  },
};
/** As a spec would say it: draws where they are read, `inverse_softplus` for what it is made of. */
function initText(program: Program, init: Initialiser): string {
  return printExpr(program, init.expr, (e, go) => {
    if (e.kind === 'read') {
      const d = program.definitions[e.def];
      return d?.kind === 'draw' ? `${d.draw.kind}(${Number(d.draw.a.toPrecision(6))}, ${Number(d.draw.b.toPrecision(6))})` : undefined;
    }
    const softplus = e.kind === 'binary' && e.op === 'add' && e.right.kind === 'unary' && e.right.op === 'log' && e.right.arg.kind === 'unary' && e.right.arg.arg.kind === 'unary'
      && e.right.arg.arg.op === 'expm1' && e.right.arg.arg.arg.kind === 'unary' && e.right.arg.arg.arg.arg === e.left;
    return softplus ? `inverse_softplus(${go(e.left)})` : undefined;
  });
}
