import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { LabHostSpec } from './driver.ts';
import { mustRun } from './tools.ts';

/** Writes what is a host's own: its host key, who may log in, the names of its neighbours. */
export async function writeOwnFiles(
  spec: LabHostSpec,
  neighbours: readonly LabHostSpec[],
  publicKey: string,
): Promise<void> {
  const own = spec.ownDirectory;
  await mkdir(`${own}/root/.ssh`, { recursive: true });
  await mkdir(`${own}/etc/ssh`, { recursive: true });
  // The directory becomes `/` of the host, where sshd insists on modes.
  await chmod(own, 0o755);
  await chmod(`${own}/root`, 0o700);
  await chmod(`${own}/root/.ssh`, 0o700);
  await writeFile(`${own}/root/.ssh/authorized_keys`, publicKey, { mode: 0o600 });
  await writeFile(`${own}/etc/hostname`, `${spec.name}\n`);
  const names = neighbours.map((each) => `${each.address} ${each.name}\n`).join('');
  await writeFile(`${own}/etc/hosts`, `127.0.0.1 localhost\n${names}`);
  await mustRun('Making a host key', [
    ...['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', `root@${spec.name}`],
    ...['-f', `${own}/etc/ssh/ssh_host_ed25519_key`],
  ]);
}

/** The public part of a host's key, as known_hosts(5) has it. */
export async function hostKey(spec: LabHostSpec): Promise<string> {
  const text = await readFile(`${spec.ownDirectory}/etc/ssh/ssh_host_ed25519_key.pub`, 'utf8');
  return text.split(' ').slice(0, 2).join(' ');
}
