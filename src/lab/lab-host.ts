import { appendFile, chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { FlowError } from '../errors/flow-error.ts';
import { bridgeName, linkName, macAddress } from './bridge.ts';
import { hostProcesses, killHostProcesses, markerVariable } from './host-processes.ts';
import { startHostScript } from './host-script.ts';
import { lastLines, machine, mustRun } from './tools.ts';

/** What one host of a lab is made from. */
export interface LabHostSpec {
  readonly lab: string;
  readonly name: string;
  /** Its number in the lab, from 1. */
  readonly index: number;
  readonly address: string;
  /** Its own directory, below the lab's. */
  readonly directory: string;
  readonly sharedDirectory: string;
  /** The root file system below its own changes. */
  readonly rootDirectory: string;
  readonly rateMbitPerSecond: number | undefined;
}

/** Milliseconds from the order to start until sshd listens. */
const startTimeoutMs = 60_000;

/** Makes the disk of a host: its host key, who may log in, the names of its neighbours. */
export async function prepareHostDirectory(
  spec: LabHostSpec,
  neighbours: readonly LabHostSpec[],
  publicKey: string,
): Promise<void> {
  const disk = `${spec.directory}/upper`;
  await mkdir(`${spec.directory}/work`, { recursive: true });
  await mkdir(`${spec.directory}/merged`);
  await mkdir(`${disk}/root/.ssh`, { recursive: true });
  await mkdir(`${disk}/etc/ssh`, { recursive: true });
  // The upper directory becomes `/` of the host, where sshd insists on modes.
  await chmod(disk, 0o755);
  await chmod(`${disk}/root`, 0o700);
  await chmod(`${disk}/root/.ssh`, 0o700);
  await writeFile(`${disk}/root/.ssh/authorized_keys`, publicKey, { mode: 0o600 });
  await writeFile(`${disk}/etc/hostname`, `${spec.name}\n`);
  const names = neighbours.map((each) => `${each.address} ${each.name}\n`).join('');
  await writeFile(`${disk}/etc/hosts`, `127.0.0.1 localhost\n${names}`);
  await mustRun('Making a host key', [
    ...['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', `root@${spec.name}`],
    ...['-f', `${disk}/etc/ssh/ssh_host_ed25519_key`],
  ]);
}

/** The public part of a host's key, as known_hosts(5) has it. */
export async function hostKey(spec: LabHostSpec): Promise<string> {
  const text = await readFile(`${spec.directory}/upper/etc/ssh/ssh_host_ed25519_key.pub`, 'utf8');
  return text.split(' ').slice(0, 2).join(' ');
}

/**
 * Starts a host and waits until its sshd listens.
 * @throws FlowError LAB_FAILED with the last words of its start script; USAGE when it runs already
 */
export async function startHost(spec: LabHostSpec): Promise<void> {
  if ((await hostProcesses(spec.directory)).length > 0) {
    throw new FlowError('USAGE', `The host ${spec.name} of the lab ${spec.lab} runs already`);
  }
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
      ...[spec.directory, spec.rootDirectory, spec.sharedDirectory, spec.name, `${spec.address}/24`],
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

/** Takes the link down first: a host that loses its power does not say goodbye to its peers. */
export async function cutHost(spec: LabHostSpec): Promise<void> {
  const link = linkName(spec.lab, spec.index);
  await machine.run(['ip', 'link', 'set', link, 'down']);
  await killHostProcesses(spec.directory);
  await machine.run(['ip', 'link', 'delete', link]);
}

/** Each host numbers its processes from elsewhere, as hosts of different ages do: a moved PID is then mostly free. */
function firstPid(spec: LabHostSpec): number {
  return 2000 * spec.index + 1000;
}
