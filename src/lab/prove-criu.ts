import { rm } from 'node:fs/promises';
import { makeControlDirectory } from '../host/control-directory.ts';
import { FlowError } from '../errors/flow-error.ts';
import { connectHost } from '../host/connect.ts';
import { lastLines } from './tools.ts';

/**
 * Asks `criu check` on each host, through ssh: what will be used is what is proved.
 * @throws FlowError LAB_FAILED, HOST_UNREACHABLE
 * @see criu(8), `check`
 */
export async function proveCriu(sshConfigFile: string, hosts: readonly string[]): Promise<void> {
  const controlDirectory = await makeControlDirectory();
  try {
    await Promise.all(hosts.map((name) => proveOn(name, { sshConfigFile, controlDirectory })));
  } finally {
    await rm(controlDirectory, { recursive: true, force: true });
  }
}

async function proveOn(
  name: string,
  options: { readonly sshConfigFile: string; readonly controlDirectory: string },
): Promise<void> {
  const host = await connectHost(name, options);
  try {
    const result = await host.run(['criu', 'check']);
    if (result.exitCode === 0) return;
    const kernel = await host.run(['uname', '-r']);
    throw new FlowError('LAB_FAILED', `CRIU does not work on this machine's kernel ${kernel.stdout.trim()}`, {
      host: name,
      hint: 'A lab is of no use here. criu names what the kernel lacks; another kernel, or another machine, helps.',
      evidence: lastLines(result.stdout + result.stderr),
    });
  } finally {
    await host.close();
  }
}
