import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { GUARD_SCRIPT, SUPERSEDED, SUPERSEDED_WORD } from './lock-scripts.ts';

/**
 * A host on which every command first looks whether its run still has its epoch. A controller that was frozen, and
 * taken over from meanwhile, does nothing more when it wakes up.
 * @param file the lock's file on the host
 */
export function guardedHost(host: Host, file: string, epoch: number): Host {
  return {
    name: host.name,
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
