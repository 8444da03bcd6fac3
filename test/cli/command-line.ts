/** The command line in this process: what it says, where it says it, and its exit code. */
import { main } from '../../src/cli/main.js';

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
export const commandLine = (cwd: string) => async (...argv: string[]): Promise<Said> => {
  let out = '';
  let err = '';
  const code = await main(argv, { out: (t) => { out += t; }, err: (t) => { err += t; }, cwd, colour: false, terminal: false });
  return { code, out, err };
};
