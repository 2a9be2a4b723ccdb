import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { GUARD_SCRIPT, SUPERSEDED, SUPERSEDED_WORD } from './lock-scripts.ts';

/**
 * The machine of the controller, on which every command first looks whether a host still has the run's epoch. One that cannot be
 * asked fails the command: what nobody can vouch for is not done.
 * @param witness a guarded host
 */
export function witnessedHost(local: Host, witness: Host): Host {
  return {
    name: local.name,
    async run(argv, options) {
      const { signal } = options ?? {};
      await witness.run(['true'], { timeoutMs: WITNESS_MS, ...(signal ? { signal } : {}) });
      return local.run(argv, options);
    },
    standBy: (count) => local.standBy(count),
    close: () => local.close(),
  };
}

/** Milliseconds that a host gets to say which epoch it has. */
const WITNESS_MS = 30_000;

/**
 * A host on which every command first looks whether its run still has its epoch. A controller that was frozen, and
 * taken over from meanwhile, does nothing more when it wakes up.
 * @param file the lock's file on the host
 */
export function guardedHost(host: Host, file: string, epoch: number): Host {
  return {
    name: host.name,
    sshConfigFile: host.sshConfigFile,
    async run(argv, options) {
      const guard = ['sh', '-c', GUARD_SCRIPT, 'criu-flow', file, String(epoch)];
      const result = await host.run([...guard, ...argv], options);
      if (result.exitCode === SUPERSEDED && result.stderr.trim() === SUPERSEDED_WORD) {
        throw new FlowError('SUPERSEDED', `This run was taken up by somebody else, says ${host.name}`, {
          host: host.name,
          hint: 'Leave it to them: from here nothing more is done.',
        });
      }
      return result;
    },
    standBy: (count) => host.standBy(count),
    close: () => host.close(),
  };
}
