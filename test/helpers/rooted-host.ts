import type { Host } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';

/** This machine, as far as criu-flow is concerned with a state directory of its own: what tests leave is theirs. */
export function rootedHost(name: string, stateDirectory: string): Host {
  const local = new LocalHost();
  return {
    name,
    run: (argv, options) =>
      local.run(
        argv.map((argument) => argument.replaceAll('/var/lib/criu-flow', stateDirectory)),
        options,
      ),
    standBy: async () => undefined,
    close: async () => undefined,
  };
}
