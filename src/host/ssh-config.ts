import { homedir } from 'node:os';
import { FlowError } from '../errors/flow-error.ts';
import { LocalHost } from './local.ts';
import type { SshTarget } from './ssh-args.ts';
import { assertDestination, sshConfigOption } from './ssh-args.ts';

/** What ssh makes of a destination, its configuration files read. */
export interface ResolvedSsh {
  readonly hostName: string;
  readonly port: number;
  readonly user: string;
  /** In the order in which ssh reads them; a new key goes into the first. */
  readonly userKnownHostsFiles: readonly string[];
  readonly globalKnownHostsFiles: readonly string[];
  /** The name to look keys up by, instead of the host's own. */
  readonly hostKeyAlias?: string;
  /** Private keys, in the order in which ssh tries them. */
  readonly identityFiles: readonly string[];
  /** The socket of the agent that ssh asks. */
  readonly identityAgent?: string;
  /** Only these are offered, and not all that the agent has. */
  readonly identitiesOnly: boolean;
  /** The hosts on the way, in order, separated by commas. */
  readonly proxyJump?: string;
  /** A command of the user's that connects instead of ssh. */
  readonly proxyCommand?: string;
}

/** A public key as known_hosts(5) has it: `ssh-ed25519` and its base64. */
export interface HostKey {
  readonly type: string;
  readonly key: string;
}

/**
 * Asks ssh what it would do, instead of reading its configuration ourselves. Connects to nothing; about 10 ms.
 * @throws FlowError INPUT_INVALID for a name that is none or a configuration that ssh refuses, TOOL_MISSING
 * @see ssh(1), `-G`
 */
export async function resolveSsh(destination: string, sshConfigFile?: string): Promise<ResolvedSsh> {
  const target: SshTarget = { destination, sshConfigFile };
  assertDestination(destination);
  const result = await new LocalHost().run(['ssh', '-G', ...sshConfigOption(target), '--', destination]);
  if (result.exitCode === 127) throw sshMissing();
  if (result.exitCode !== 0) {
    throw new FlowError('INPUT_INVALID', `ssh does not accept its configuration for ${destination}.`, {
      host: destination,
      evidence: result.stderr.trimEnd().split('\n').at(-1) ?? '',
    });
  }
  const settings = new Map<string, string>();
  const identityFiles: string[] = [];
  for (const line of result.stdout.split('\n')) {
    const space = line.indexOf(' ');
    if (space === -1) continue;
    const [key, value] = [line.slice(0, space), line.slice(space + 1)];
    if (key === 'identityfile') identityFiles.push(inHome(value));
    settings.set(key, value);
  }
  const set = (key: string): string | undefined => {
    const value = settings.get(key);
    return value === undefined || value === 'none' ? undefined : value;
  };
  const identityAgent = agentSocket(settings.get('identityagent'));
  const [hostKeyAlias, proxyJump, proxyCommand] = [
    set('hostkeyalias'),
    set('proxyjump'),
    set('proxycommand'),
  ];
  return {
    hostName: settings.get('hostname') ?? destination,
    port: Number(settings.get('port') ?? 22),
    user: settings.get('user') ?? '',
    userKnownHostsFiles: fileList(settings.get('userknownhostsfile')),
    globalKnownHostsFiles: fileList(settings.get('globalknownhostsfile')),
    identityFiles,
    identitiesOnly: set('identitiesonly') === 'yes',
    ...(hostKeyAlias === undefined ? {} : { hostKeyAlias }),
    ...(identityAgent === undefined ? {} : { identityAgent }),
    ...(proxyJump === undefined ? {} : { proxyJump }),
    ...(proxyCommand === undefined ? {} : { proxyCommand }),
  };
}

/**
 * The keys by which this machine knows a host, so that another can be told to accept these and no others. Looked up
 * as ssh does: by the alias, else by name and port, else by the name alone; hashed entries are found too. Revoked keys
 * and certificate authorities are left out. Empty when the host is not known.
 * @throws FlowError TOOL_MISSING
 * @see ssh-keygen(1), `-F`; known_hosts in sshd(8)
 */
export async function knownHostKeys(resolved: ResolvedSsh): Promise<readonly HostKey[]> {
  const hostName = resolved.hostName.toLowerCase();
  const names =
    resolved.hostKeyAlias !== undefined
      ? [resolved.hostKeyAlias.toLowerCase()]
      : resolved.port === 22
        ? [hostName]
        : [`[${hostName}]:${resolved.port}`, hostName];
  for (const name of names) {
    const keys = await keysOf(name, [...resolved.userKnownHostsFiles, ...resolved.globalKnownHostsFiles]);
    if (keys.length > 0) return keys;
  }
  return [];
}

/** The error of a machine without the OpenSSH client. */
export function sshMissing(): FlowError {
  return new FlowError('TOOL_MISSING', 'The program "ssh" is not installed on this machine.', {
    host: 'local',
    hint: 'Install the OpenSSH client (Debian: openssh-client).',
  });
}

async function keysOf(name: string, files: readonly string[]): Promise<readonly HostKey[]> {
  const found = new Map<string, HostKey>();
  const revoked = new Set<string>();
  for (const file of files) {
    // Exit code 1 means "not found" and also "no such file": for us they are the same.
    const result = await new LocalHost().run(['ssh-keygen', '-F', name, '-f', file]);
    if (result.exitCode === 127) throw sshMissing();
    for (const line of result.stdout.split('\n')) {
      const fields = line.trim().split(/\s+/);
      const marker = fields[0]?.startsWith('@') === true ? fields.shift() : undefined;
      const [hosts, type, key] = fields;
      if (hosts === undefined || hosts.startsWith('#') || type === undefined || key === undefined) continue;
      if (marker === '@revoked') revoked.add(key);
      if (marker === undefined) found.set(key, { type, key });
    }
  }
  return [...found.values()].filter(({ key }) => !revoked.has(key));
}

/** ssh prints file names separated by spaces, and a leading `~/` as it was written. */
function fileList(value: string | undefined): readonly string[] {
  return (value ?? '')
    .split(' ')
    .filter((file) => file !== '' && file !== 'none' && file !== '/dev/null')
    .map(inHome);
}

function inHome(file: string): string {
  return file.startsWith('~/') ? homedir() + file.slice(1) : file;
}

/** @see ssh_config(5), IdentityAgent */
function agentSocket(value: string | undefined): string | undefined {
  if (value === 'none') return undefined;
  if (value === undefined || value === 'SSH_AUTH_SOCK') return process.env['SSH_AUTH_SOCK'];
  return value.startsWith('$') ? process.env[value.slice(1)] : inHome(value);
}
