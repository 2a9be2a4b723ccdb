import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where the runs of this user are: `$XDG_STATE_HOME/criu-flow/runs`.
 * @see XDG Base Directory Specification: the default is ~/.local/state.
 */
export function runsDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const state = env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state');
  return join(state, 'criu-flow', 'runs');
}
