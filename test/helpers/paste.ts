import { chmodSync, writeFileSync } from 'node:fs';
import { LocalHost } from '../../src/host/local.ts';
import { main, type CliResult } from './cli.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** Pastes a command that criu-flow has printed into a shell of another directory, as a person does; `criu-flow` is on its PATH. */
export async function paste(command: string, env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  using bin = temporaryDirectory();
  writeFileSync(bin.at('criu-flow'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
  chmodSync(bin.at('criu-flow'), 0o755);
  const variables = Object.entries({ ...env, PATH: `${bin.path}:${process.env['PATH']}` });
  return await new LocalHost().run(
    [
      'env',
      '-C',
      bin.path,
      ...variables.map(([name, value]) => `${name}=${value}`),
      ...['sh', '-c', command],
    ],
    { timeoutMs: 300_000 },
  );
}
