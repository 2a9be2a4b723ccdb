import { spawnSync } from 'node:child_process';
import type { Host } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import { startProgram } from './started-program.ts';

/** Why no network namespace with nftables can be had here; undefined when one can. */
export const namespaceSkipReason: string | undefined = reasonOf();

function reasonOf(): string | undefined {
  const script = 'ip link set lo up && nft list ruleset';
  const tried = spawnSync('unshare', ['-n', 'sh', '-c', script], { encoding: 'utf8' });
  if (tried.status === 0) return undefined;
  return tried.error?.message ?? tried.stderr.trim().split('\n').at(-1);
}

/** This machine with a network of its own; `await using` removes it. */
export interface NetworkNamespace extends AsyncDisposable {
  readonly host: Host;
  /** Of a process in it, for `ip link set … netns PID`. */
  readonly pid: number;
}

/** @param base runs the commands */
export async function networkNamespace(base: Host = new LocalHost()): Promise<NetworkNamespace> {
  const keeper = await startProgram('unshare', '--net', 'cat');
  return {
    pid: keeper.pid,
    host: {
      name: 'local',
      run: (argv, options) => base.run(['nsenter', `--net=/proc/${keeper.pid}/ns/net`, ...argv], options),
      standBy: (count) => base.standBy(count),
      close: () => base.close(),
    },
    [Symbol.asyncDispose]: keeper.kill,
  };
}
