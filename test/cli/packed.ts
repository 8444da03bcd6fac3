/** The package as npm packs it, in a folder's node_modules: its dependencies and theirs beside it, and nothing else. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const root = join(import.meta.dirname, '../..');
interface PackageJson {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}
export const packageJson = (folder: string): PackageJson => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageJson;

/** What is missing from package.json is missing here. `more`: packages that a project lists itself. Returns the names of all that lies there. */
export function installPacked(folder: string, more: readonly string[] = []): { readonly files: readonly string[]; readonly packages: ReadonlySet<string> } {
  const modules = join(folder, 'node_modules');
  const packed = mkdtempSync(join(tmpdir(), 'ssmc-pack-'));
  const [made] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', packed], { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })) as { filename: string }[];
  const tarball = join(packed, made?.filename ?? '');
  const installed = join(modules, 'ssmc');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n').map((f) => f.replace(/^package\//, ''));
  rmSync(packed, { recursive: true });
  // As npm does of commands.
  for (const path of Object.values(packageJson(installed).bin ?? {})) chmodSync(join(installed, path), 0o755);
  const packages = new Set<string>();
  const link = (name: string): void => {
    if (packages.has(name)) return;
    packages.add(name);
    const to = join(modules, name);
    mkdirSync(dirname(to), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), to);
    for (const next of Object.keys(packageJson(to).dependencies ?? {})) link(next);
  };
  for (const name of Object.keys(packageJson(installed).dependencies ?? {})) link(name);
  const own = new Set(packages);
  // What a bundler needs it finds where it really lies.
  for (const name of more) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  mkdirSync(join(modules, '.bin'), { recursive: true });
  for (const name of ['ssmc', ...more]) for (const [command, path] of Object.entries(packageJson(join(modules, name)).bin ?? {})) symlinkSync(join('..', name, path), join(modules, '.bin', command));
  return { files, packages: own };
}
