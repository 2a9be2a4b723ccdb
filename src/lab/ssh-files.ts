import { readFile, writeFile } from 'node:fs/promises';
import type { LabHostSpec } from './driver.ts';
import { hostKey } from './own-files.ts';
import { mustRun } from './tools.ts';

/**
 * Makes the key by which this machine reaches the hosts. They have no key to each other.
 * @returns the line for authorized_keys
 */
export async function makeClientKey(directory: string): Promise<string> {
  const file = `${directory}/id_ed25519`;
  await mustRun('Making the key of the lab', [
    ...['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'criu-flow lab', '-f', file],
  ]);
  return readFile(`${file}.pub`, 'utf8');
}

/** Writes known_hosts and ssh_config: every host by its name, with strict host keys. */
export async function writeSshFiles(directory: string, hosts: readonly LabHostSpec[]): Promise<void> {
  const keys = await Promise.all(hosts.map(async (host) => `${host.address} ${await hostKey(host)}\n`));
  await writeFile(`${directory}/known_hosts`, keys.join(''), { mode: 0o600 });
  const blocks = hosts.map((host) =>
    [
      `Host ${host.name}`,
      `  HostName ${host.address}`,
      '  User root',
      `  IdentityFile ${directory}/id_ed25519`,
      '  IdentitiesOnly yes',
      `  UserKnownHostsFile ${directory}/known_hosts`,
      '  GlobalKnownHostsFile none',
      '  StrictHostKeyChecking yes',
      '',
    ].join('\n'),
  );
  await writeFile(`${directory}/ssh_config`, blocks.join('\n'), { mode: 0o600 });
}
