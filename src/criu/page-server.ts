import { randomInt } from 'node:crypto';
import { pageServerArguments } from './arguments.ts';
import { criuReason } from './log.ts';
import { FlowError } from '../errors/flow-error.ts';
import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { killProcess, processState, startProcess, waitProcess } from '../host/remote-process.ts';
import { mustRunScript, runScript } from '../host/shell.ts';

/**
 * Ports that only root may listen at: another user of the host can neither take the place of the page server nor of the tunnel to
 * it. Who connects first is all that it hears: then the dump finds nobody, and fails before anything is lost.
 * @see ip(7), ip_unprivileged_port_start; bindresvport(3), which takes ports of this range
 */
const FIRST_PORT = 600;
const LAST_PORT = 1023;

/** Prints the ports that are in use, in hexadecimal, and below which a port is root's. */
const PORTS_SCRIPT = `
awk 'FNR > 1 { n = split($2, part, ":"); print part[n] }' /proc/net/tcp /proc/net/tcp6 2> /dev/null
cat /proc/sys/net/ipv4/ip_unprivileged_port_start
`;

/** A port that nobody uses on any of these hosts. @throws FlowError TRANSFER_FAILED */
export async function choosePort(hosts: readonly Host[]): Promise<number> {
  const taken = new Set<number>();
  for (const host of hosts) {
    const { stdout } = await mustRunScript(host, PORTS_SCRIPT, [], { what: 'Looking for a free port' });
    const lines = stdout.trim().split('\n');
    const unprivileged = Number(lines.pop());
    if (unprivileged <= LAST_PORT) {
      throw new FlowError('TRANSFER_FAILED', `Every user of ${host.name} may listen at port ${LAST_PORT}`, {
        host: host.name,
        hint: 'The memory of the workload goes through a port that must be root’s. Set the sysctl back, or use `transfer/rsync`.',
        command: commandOn(host, ['sysctl', '-w', 'net.ipv4.ip_unprivileged_port_start=1024']),
      });
    }
    for (const line of lines) taken.add(Number.parseInt(line, 16));
  }
  const free = Array.from({ length: LAST_PORT - FIRST_PORT + 1 }, (_, index) => FIRST_PORT + index).filter(
    (port) => !taken.has(port),
  );
  const port = free[randomInt(Math.max(1, free.length))];
  if (port !== undefined) return port;
  throw new FlowError('TRANSFER_FAILED', `No port from ${FIRST_PORT} to ${LAST_PORT} is free on both hosts`);
}

/**
 * Runs the page server, a day at most, in the group with which it is ended, and says `E` in the FIFO where criu says that it listens when it has ended instead. Arguments:
 * its directory, then criu and its arguments.
 */
const SERVE_SCRIPT = `
umask 077
ready=$1/ready ended=$1/ended
exec 4<> "$ready"
shift
timeout --foreground 86400 "$@" 3> "$ready" 4>&-
code=$?
: > "$ended"
printf E >&4
exit "$code"
`;

/** Makes its directory and the FIFO in it. Argument: the directory. */
const MAKE_SCRIPT = 'umask 077; mkdir -p "$1" && mkfifo "$1/ready"';

/** Waits until it listens. Argument: its directory. */
const READY_SCRIPT = `
exec 4<> "$1/ready"
# What was said before somebody had the FIFO open is lost.
[ ! -f "$1/ended" ] || exit 1
[ "$(timeout 10 dd bs=1 count=1 2> /dev/null <&4 | tr '\\0' L)" = L ]
`;

/** criu's page server on the destination of one run, which listens on 127.0.0.1 only. */
export class PageServer {
  readonly #host: Host;
  readonly #directory: string;

  private constructor(host: Host, directory: string) {
    this.#host = host;
    this.#directory = directory;
  }

  /**
   * Starts it, and waits until it listens.
   * @param directory of its own, which must not be there
   * @throws FlowError TRANSFER_FAILED with criu's own line
   */
  static async start(
    host: Host,
    { directory, imagesDirectory, port }: { directory: string; imagesDirectory: string; port: number },
  ): Promise<PageServer> {
    const server = new PageServer(host, directory);
    await mustRunScript(host, MAKE_SCRIPT, [directory], { what: 'Preparing the page server' });
    const argv = pageServerArguments({ imagesDirectory, workDirectory: directory }, port);
    await startProcess(host, {
      directory: processOf(directory),
      argv: ['sh', '-c', SERVE_SCRIPT, 'criu-flow', directory, ...argv],
    });
    const { exitCode } = await runScript(host, READY_SCRIPT, [directory]);
    if (exitCode !== 0) throw await server.#failure();
    return server;
  }

  /** Waits until it has all of one dump, whose criu it has told so. @throws FlowError TRANSFER_FAILED with criu's own line */
  async finish(signal: AbortSignal): Promise<void> {
    const { exitCode } = await waitProcess(this.#host, processOf(this.#directory), { signal });
    if (exitCode !== 0) throw await this.#failure();
  }

  /** @throws FlowError TRANSFER_FAILED with criu's own line, when its log says why it failed */
  async requireSound(): Promise<void> {
    const state = await processState(this.#host, processOf(this.#directory));
    if (state.kind !== 'exited' || state.exitCode === 0) return;
    const failure = await this.#failure();
    if (failure.hint !== undefined) throw failure;
  }

  async #failure(): Promise<FlowError> {
    const log = `${this.#directory}/page-server.log`;
    const { stdout } = await runScript(this.#host, 'cat "$1" 2> /dev/null || :', [log]);
    const reason = criuReason(stdout);
    return new FlowError('TRANSFER_FAILED', `criu's page server on ${this.#host.name} failed`, {
      host: this.#host.name,
      evidence: reason?.line ?? stdout.trim().split('\n').at(-1) ?? '',
      ...(reason?.hint === undefined ? {} : { hint: reason.hint }),
    });
  }
}

/** Ends the page server of that directory, if there is one. Idempotent. */
export async function endPageServer(host: Host, directory: string): Promise<void> {
  await killProcess(host, processOf(directory), { graceMs: 0 });
}

function processOf(directory: string): string {
  return `${directory}/process`;
}
