import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SETTLE_GIVE_UP_SCRIPT } from '../../src/criu/give-up-script.ts';
import type { CommandResult } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import { readWorkload } from '../../src/workload/facts.ts';
import { type StartedProgram, startProgram } from '../helpers/started-program.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

/** Forks for ever: a child that lives on without its parent, and one that ends, again and again. */
const FORKING = `
read -r _
(sleep 4712 & sleep 4712 &)
sleep 4712 &
echo ready
while :; do (sleep 4712 & :); sleep 0.01; done
`;

describe('a copy that is to be ended', () => {
  const host = new LocalHost();
  let directory: TemporaryDirectory;
  let root: StartedProgram;
  beforeEach(async () => {
    directory = temporaryDirectory();
    mkdirSync(directory.at('hold'));
    root = await startProgram('sh', '-c', FORKING);
    const { processes } = await readWorkload(host, root.pid);
    put('tasks', `${root.pid} ${processes[0]?.startTicks} /bin/sh`);
  });
  afterEach(async () => {
    await root.kill();
    directory[Symbol.dispose]();
  });

  const put = (name: string, text: string): void => writeFileSync(directory.at('hold', name), `${text}\n`);
  const settle = (): Promise<CommandResult> => {
    put('settle', SETTLE_GIVE_UP_SCRIPT);
    return host.run(['sh', directory.at('hold', 'settle'), 'ended']);
  };
  /** All of the session of the root, which it leads, but zombies. */
  const session = async (): Promise<readonly string[]> => {
    const { stdout } = await host.run(['ps', '-o', 'pid=,stat=', '--sid', String(root.pid)]);
    return stdout.split('\n').filter((line) => /^ *\d+ [^Z]/.test(line));
  };

  test('nothing is done without a decision', async () => {
    expect(await settle()).toMatchObject({ exitCode: 1, stdout: '' });
    expect(await session()).not.toEqual([]);
  });

  test('a commit ends it with all that it has forked meanwhile, also what has no parent any more', async () => {
    put('decision', 'commit');
    expect(await settle()).toMatchObject({ exitCode: 0, stdout: 'ended\n' });
    expect(await session()).toEqual([]);
    expect(await settle()).toMatchObject({ exitCode: 0, stdout: 'ended\n' });
  });

  test('one that has ended by itself, whose pid is another’s by now, leaves that alone', async () => {
    put('decision', 'commit');
    put('tasks', `${root.pid} 0 /bin/sh`);
    expect(await settle()).toMatchObject({ exitCode: 0, stdout: 'ended\n' });
    expect(await session()).not.toEqual([]);
  });

  test('an abort stops nobody, and puts the address back once', async () => {
    put('decision', 'abort lease');
    put('on-abort', 'echo back >> put-back');
    expect(await settle()).toMatchObject({ exitCode: 0, stdout: 'resumed\n' });
    expect((await session()).some((line) => line.includes('T'))).toBe(false);
    expect(existsSync(directory.at('hold', 'put-back'))).toBe(true);
  });

  test('what the hold has put back before its end is not put back again', async () => {
    put('decision', 'abort');
    put('on-abort', 'echo back >> put-back');
    put('aborted', '');
    expect(await settle()).toMatchObject({ exitCode: 0, stdout: 'resumed\n' });
    expect(existsSync(directory.at('hold', 'put-back'))).toBe(false);
  });
});
