import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import { makeControlDirectory } from '../../host/control-directory.ts';
import type { Host } from '../../host/host.ts';
import { FlowError } from '../../errors/flow-error.ts';
import type { LockOnHost } from '../lock-advice.ts';
import { configFile } from '../ssh-config-file.ts';

export interface LocksCommandOptions {
  readonly lab?: string | undefined;
  readonly sshConfig?: string | undefined;
}

/** `criu-flow locks`: who holds which process ids on hosts, and what to do about locks that nobody needs. @returns 0 */
export async function locksCommand(
  hostNames: readonly string[],
  options: LocksCommandOptions,
): Promise<number> {
  const [{ listLocks }, { describeHolder }, { sanitizeLine }, { lockAdvice }, { runsDirectory }] =
    await Promise.all([
      import('../../lock/workload-lock.ts'),
      import('../../lock/controller.ts'),
      import('../../report/sanitize.ts'),
      import('../lock-advice.ts'),
      import('../../store/runs-directory.ts'),
    ]);
  const all: LockOnHost[] = [];
  for (const name of hostNames) {
    await withHost(name, options, async (host) => {
      const locks = await listLocks(host);
      const lines = locks.map((lock) => {
        const age = lock.isVoid ? ', from before the last boot: void' : '';
        return `${name}  ${lock.runId}  epoch ${lock.epoch}  pids ${lock.pids.join(', ') || 'none'}  ${describeHolder(lock.controller)}${age}`;
      });
      for (const line of locks.length === 0 ? [`${name}  no locks`] : lines)
        process.stdout.write(`${sanitizeLine(line)}\n`);
      all.push(...locks.map((lock) => ({ host: name, lock })));
    });
  }
  const isHere = (runId: string): boolean => existsSync(join(runsDirectory(), runId));
  const advice = lockAdvice(all, { sshConfigFile: await configFile(options), isHere });
  process.stdout.write(advice.map((line) => `${line}\n`).join(''));
  return 0;
}

/** `criu-flow unlock`: gives up a lock by hand. @returns 0 */
export async function unlockCommand(
  runId: string,
  hostNames: readonly string[],
  options: LocksCommandOptions & { readonly reason: string },
): Promise<number> {
  const [{ breakLock, listLocks }, { describeHolder, stateOf }, { sanitizeLine }] = await Promise.all([
    import('../../lock/workload-lock.ts'),
    import('../../lock/controller.ts'),
    import('../../report/sanitize.ts'),
  ]);
  for (const name of hostNames) {
    await withHost(name, options, async (host) => {
      const lock = (await listLocks(host)).find((each) => each.runId === runId);
      if (!lock) {
        process.stdout.write(`${sanitizeLine(`${name}  run ${runId} has no lock`)}\n`);
        return;
      }
      if (lock.controller && stateOf(lock.controller) === 'alive') {
        throw new FlowError('LOCKED', `Run ${runId} is still at work`, {
          host: name,
          evidence: describeHolder(lock.controller),
          hint: 'Interrupt it with ^C: it rolls back and gives its locks up.',
        });
      }
      await breakLock(host, runId, options.reason);
      process.stdout.write(
        `${sanitizeLine(`${name}  unlocked run ${runId}, pids ${lock.pids.join(', ')}`)}\n`,
      );
    });
  }
  return 0;
}

async function withHost(
  name: string,
  options: LocksCommandOptions,
  use: (host: Host) => Promise<void>,
): Promise<void> {
  const { connectHost } = await import('../../host/connect.ts');
  const controlDirectory = await makeControlDirectory();
  const sshConfigFile = await configFile(options);
  const host = await connectHost(name, {
    controlDirectory,
    ...(sshConfigFile === undefined ? {} : { sshConfigFile }),
  });
  try {
    await use(host);
  } finally {
    await host.close();
    await rm(controlDirectory, { recursive: true, force: true });
  }
}
