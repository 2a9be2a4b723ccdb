import type { Host } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';

/** This machine under another name, with a state directory of its own: what tests leave is theirs. */
export function rootedHost(name: string, stateDirectory: string, machine: Host = new LocalHost()): Host {
  return {
    name,
    run: (argv, options) =>
      machine.run(
        argv.map((argument) => argument.replaceAll('/var/lib/criu-flow', stateDirectory)),
        options,
      ),
    standBy: async () => undefined,
    close: async () => undefined,
  };
}
