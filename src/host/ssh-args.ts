import { FlowError } from '../errors/flow-error.ts';

/** How a destination is reached: what the user named, and the file that says what the name means. */
export interface SshTarget {
  /** `user@host`, or an alias of ssh_config. */
  readonly destination: string;
  /** Another file than ~/.ssh/config; ssh's `-F`. */
  readonly sshConfigFile?: string | undefined;
}

/** Milliseconds that ssh may take for TCP, the banner and the key exchange. */
export const defaultConnectTimeoutMs = 10_000;

/**
 * Options of every ssh that criu-flow starts. The command line wins over the user's ssh_config, so a configuration
 * made for people (a prompt, a terminal, a forwarded port, `accept-new`) cannot weaken or block it; everything else
 * there (keys, agents, jump hosts, ports) still counts.
 * @see ssh_config(5)
 */
export function sshOptions(connectTimeoutMs: number = defaultConnectTimeoutMs): readonly string[] {
  const options = {
    // Never a question: nobody is there to answer it.
    BatchMode: 'yes',
    // A key that is not known is refused, whatever the user's configuration says: images hold a process's memory.
    StrictHostKeyChecking: 'yes',
    // criu-flow never writes the user's known_hosts.
    UpdateHostKeys: 'no',
    ConnectTimeout: String(Math.max(1, Math.ceil(connectTimeoutMs / 1000))),
    // A host that falls silent is noticed after 6 s.
    ServerAliveInterval: '2',
    ServerAliveCountMax: '3',
    TCPKeepAlive: 'yes',
    // Quieter levels hide the lines by which a failure is told apart.
    LogLevel: 'INFO',
    RequestTTY: 'no',
    RemoteCommand: 'none',
    PermitLocalCommand: 'no',
    ClearAllForwardings: 'yes',
    ForwardX11: 'no',
    ControlPersist: 'no',
    ForkAfterAuthentication: 'no',
    StdinNull: 'no',
    SessionType: 'default',
    EscapeChar: 'none',
  };
  return Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** `-F file`, or nothing. */
export function sshConfigOption(target: SshTarget): readonly string[] {
  return target.sshConfigFile === undefined ? [] : ['-F', target.sshConfigFile];
}

/**
 * Refuses what ssh would not read as a host: a name that begins with `-` (an option, some of which run commands),
 * and white space or control characters, which no host name has.
 * @throws FlowError INPUT_INVALID
 */
export function assertDestination(destination: string): void {
  if (destination === '' || destination.startsWith('-') || /[\s\p{Cc}]/u.test(destination)) {
    throw new FlowError('INPUT_INVALID', `${JSON.stringify(destination)} is not the name of a host.`, {
      hint: 'Write user@host, or an alias of your ssh_config.',
    });
  }
}
