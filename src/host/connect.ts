import type { Host } from './host.ts';

export interface ConnectOptions {
  /** Another file than ~/.ssh/config; ssh's `-F`. */
  readonly sshConfigFile?: string;
  /** Where the sockets of ssh's connections go: short, private (0700), made when missing. */
  readonly controlDirectory: string;
  /** Milliseconds. @default 10000 */
  readonly connectTimeoutMs?: number;
  /** Ends the connecting, with its reason; not the connection later. */
  readonly signal?: AbortSignal;
}

/**
 * The host of that name: this machine for `local`, else whatever ssh(1) makes of it (`root@a`, an alias of
 * ssh_config). `localhost` goes through ssh like any other name.
 * @throws FlowError HOST_UNREACHABLE, HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, HOST_AUTH_FAILED, TOOL_MISSING, INPUT_INVALID
 */
export async function connectHost(name: string, options: ConnectOptions): Promise<Host> {
  if (name === 'local') {
    const { LocalHost } = await import('./local.ts');
    return new LocalHost();
  }
  const { SshHost } = await import('./ssh.ts');
  const { signal, ...rest } = options;
  return SshHost.connect({ destination: name, ...rest }, signal);
}
