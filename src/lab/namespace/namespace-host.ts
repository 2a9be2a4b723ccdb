import { appendFile, mkdir } from 'node:fs/promises';
import { FlowError } from '../../errors/flow-error.ts';
import { bridgeName, linkName, macAddress } from '../bridge.ts';
import { firstPid, type LabHostSpec } from '../driver.ts';
import { killHostProcesses, markerVariable } from '../host-processes.ts';
import { lastLines, machine } from '../tools.ts';
import { startHostScript } from './host-script.ts';

/** Milliseconds from the order to start until sshd listens. */
const startTimeoutMs = 60_000;

/**
 * Starts a host in namespaces over the root file system, and waits until its sshd listens.
 * @throws FlowError LAB_FAILED with the last words of its start script
 */
export async function startNamespaceHost(spec: LabHostSpec, rootDirectory: string): Promise<void> {
  await mkdir(`${spec.directory}/work`, { recursive: true });
  await mkdir(`${spec.directory}/merged`, { recursive: true });
  const result = await machine.run(
    [
      // Nothing of the environment of the person who starts the lab reaches its hosts.
      ...['env', '-i', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'],
      `${markerVariable}=${spec.directory}`,
      // The script adds this machine's end of the link through file descriptor 9.
      ...['sh', '-c', 'exec 9< /proc/self/ns/net && exec "$@"', 'sh'],
      ...['unshare', '--mount', '--net', '--uts', '--pid', '--ipc'],
      // The first child after unshare(1) is process 1; nobody stays behind with our end of its output.
      ...['sh', '-c', 'setsid sh -c "$@" &', 'sh', startHostScript, 'criu-flow-lab'],
      ...[spec.directory, spec.ownDirectory, rootDirectory, spec.sharedDirectory],
      ...[spec.name, `${spec.address}/24`],
      ...[bridgeName(spec.lab), linkName(spec.lab, spec.index), String(firstPid(spec))],
      ...[macAddress(spec.lab, spec.index), String(spec.rateMbitPerSecond ?? '')],
    ],
    { timeoutMs: startTimeoutMs },
  );
  const ready = result.stdout.trim() === 'ready';
  await appendFile(`${spec.directory}/console.log`, result.stderr);
  if (ready) return;
  await killHostProcesses(spec.directory);
  throw new FlowError('LAB_FAILED', `The host ${spec.name} of the lab ${spec.lab} did not start`, {
    host: 'local',
    evidence: lastLines(result.stderr),
  });
}
