/** A project of a user's: examples/mex imported by a page, the package linked as npm would put it, built by scripts that users write. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const root = join(import.meta.dirname, '../..');
const data = join(root, 'examples/mex/data');

/** Answers how far the logits are from the float64 ones, on a device. */
export const app = `
import { fetchBytes, readSafetensors } from "ssmc/runtime";
import { Mex } from "./mex.ssm";

export async function answer(base, device) {
  const file = readSafetensors(await fetchBytes(new URL("parity.safetensors", base)));
  const inputs = Object.fromEntries(["depth", "pressure", "accel"].map((n) => {
    const tensor = file.tensor("input." + n);
    return [n, { shape: tensor.shape, data: tensor.toFloat32() }];
  }));
  const mex = await Mex.load({ weights: new URL("mex.safetensors", base), device });
  const { logits } = await mex.run(inputs);
  const want = file.tensor("logits_f64").toFloat64();
  const size = want.reduce((a, w) => Math.max(a, Math.abs(w)), 0);
  const error = want.reduce((a, w, k) => Math.max(a, Math.abs(w - logits.data[k])), 0) / size;
  const answered = { device: mex.device.name, error, count: logits.data.length };
  mex.dispose();
  return answered;
}
globalThis.answer = answer;
`;

export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), 'ssmc-app-'));

  constructor(files: Readonly<Record<string, string>>, packages: readonly string[] = []) {
    for (const name of ['unplugin', ...packages]) this.#link(name, join(root, 'node_modules', name));
    this.#link('ssmc', root);
    this.write({ 'package.json': '{ "type": "module" }', ...files });
  }
  #link(name: string, to: string): void {
    const at = join(this.folder, 'node_modules', name);
    mkdirSync(dirname(at), { recursive: true });
    symlinkSync(to, at);
  }
  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, name)), { recursive: true });
      writeFileSync(join(this.folder, name), text);
    }
  }
  /** The spec of examples/mex, and in `public` its weights and what float64 says of some windows. */
  addMex(): this {
    cpSync(join(root, 'examples/mex/mex.ssm'), join(this.folder, 'mex.ssm'));
    cpSync(join(data, 'coupled.safetensors'), join(this.folder, 'public/mex.safetensors'));
    cpSync(join(data, 'parity-coupled.safetensors'), join(this.folder, 'public/parity.safetensors'));
    return this;
  }
  /** Runs a script as `node FILE`; what it printed. */
  node(script: string): { readonly status: number | null; readonly out: string; readonly err: string } {
    const r = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: this.folder, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
    return { status: r.status, out: r.stdout, err: r.stderr };
  }
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
