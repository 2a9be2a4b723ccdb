import { setTimeout as sleep } from 'node:timers/promises';
import { FlowError } from '../errors/flow-error.ts';
import { CommandOutput } from './command-output.ts';
import type { CommandResult, Host, RunOptions } from './host.ts';
import type { LocalProcess } from './local-process.ts';
import { startLocalProcess } from './local-process.ts';
import type { SshTarget } from './ssh-args.ts';
import { assertDestination, defaultConnectTimeoutMs, sshConfigOption, sshOptions } from './ssh-args.ts';
import { sshMissing } from './ssh-config.ts';
import { outcomeUnknown } from './ssh-errors.ts';
import type { FramedCommand } from './ssh-frame.ts';
import { FrameReader, frameCommand, longestCommandBytes, readTrailer } from './ssh-frame.ts';
import { endRemoteGroup } from './ssh-kill.ts';
import { SshMaster, controlPathOption } from './ssh-master.ts';
import { SshStandby, standbyCommand } from './ssh-standby.ts';
import { stopError, watchForStop } from './stop.ts';

export interface SshConnectOptions extends SshTarget {
  /** For the sockets of the connection: short, private (0700), made when missing. */
  readonly controlDirectory: string;
  /** Milliseconds for TCP, the banner and the key exchange. @default 10000 */
  readonly connectTimeoutMs?: number | undefined;
}

/** Milliseconds that a command which must be ended gets to say which process group it is. */
const headerGraceMs = 2000;

/**
 * A machine that ssh(1) reaches. The system's own client does the work, so the user's configuration, agents, hardware
 * keys and jump hosts count. One connection is opened; each command is a channel of it and costs one round trip.
 *
 * A command runs at most once. When the connection is lost the next command opens a new one, but one that may have
 * begun is never repeated: HOST_UNREACHABLE then says that its outcome is not known.
 */
export class SshHost implements Host {
  readonly name: string;
  readonly sshConfigFile: string | undefined;
  readonly #options: SshConnectOptions;
  #master: Promise<SshMaster> | undefined;
  #standby: readonly SshStandby[] = [];
  #closed = false;

  private constructor(options: SshConnectOptions) {
    this.name = options.destination;
    this.sshConfigFile = options.sshConfigFile;
    this.#options = options;
  }

  /**
   * Opens the connection, unless the signal ends that. A host key that is not known is refused, whatever ssh_config says.
   * @throws FlowError HOST_UNREACHABLE, HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, HOST_AUTH_FAILED, TOOL_MISSING;
   *   INPUT_INVALID for a destination that is no name of a host and for an unsuitable control directory
   */
  static async connect(options: SshConnectOptions, signal?: AbortSignal): Promise<SshHost> {
    assertDestination(options.destination);
    const host = new SshHost(options);
    await host.#connected(signal);
    return host;
  }

  /**
   * Standard output keeps its first MiB, standard error its last. A command has ended when its output is closed. The
   * remote login shell must be a POSIX one, and all arguments together shorter than 128 KiB (126 otherwise): send more
   * through standard input.
   * @throws FlowError HOST_UNREACHABLE, and what {@link connect} throws when the connection was lost before; TIMEOUT,
   *   INTERRUPTED when it was ended, on the host too; INPUT_INVALID
   */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const command = frameCommand(argv);
    const program = argv[0] ?? '';
    if (options.signal?.aborted === true) throw stopError('aborted', { host: this.name, program });
    if (Buffer.byteLength(command.text) >= longestCommandBytes) {
      return { exitCode: 126, stdout: '', stderr: `criu-flow: ${program}: argument list too long\n` };
    }
    const master = await this.#connected();
    const result = await this.#runOver(master, command, program, options);
    if (result !== 'refused') return result;
    // sshd allows MaxSessions (10) channels per connection: what is over gets a connection of its own.
    const direct = await this.#runOver(undefined, frameCommand(argv), program, options);
    if (direct === 'refused') throw outcomeUnknown(this.name, program, 'Session open refused by peer');
    return direct;
  }

  async standBy(count: number): Promise<void> {
    const master = await this.#connected().catch(() => undefined);
    if (master === undefined) return;
    const argv = this.#sshCommand(master, standbyCommand);
    const opened = await Promise.all(Array.from({ length: count }, async () => SshStandby.open(argv)));
    this.#standby = [...this.#standby, ...opened.filter((each) => each !== undefined)];
  }

  async close(): Promise<void> {
    this.#closed = true;
    const opening = this.#master;
    this.#master = undefined;
    const unused = this.#standby;
    this.#standby = [];
    await Promise.all(unused.map(async (each) => each.close()));
    const master = await opening?.catch(() => undefined);
    await master?.close();
  }

  /** The live connection; opened when there is none, once for all who ask at the same time. */
  async #connected(signal?: AbortSignal): Promise<SshMaster> {
    if (this.#closed) {
      throw new FlowError('HOST_UNREACHABLE', `The connection to ${this.name} is closed.`, {
        host: this.name,
      });
    }
    const current = this.#master;
    const master = await current?.catch(() => undefined);
    if (master?.isAlive === true) return master;
    if (this.#master === current) {
      this.#master = SshMaster.open({
        target: this.#options,
        controlDirectory: this.#options.controlDirectory,
        connectTimeoutMs: this.#options.connectTimeoutMs ?? defaultConnectTimeoutMs,
        ...(signal ? { signal } : {}),
      });
    }
    return this.#master ?? this.#connected();
  }

  #takeStandby(): SshStandby | undefined {
    const [first, ...rest] = this.#standby.filter((each) => each.isAlive);
    this.#standby = rest;
    return first;
  }

  /** @returns `'refused'` when the host did not open a channel, so that nothing ran */
  async #runOver(
    master: SshMaster | undefined,
    command: FramedCommand,
    program: string,
    options: RunOptions,
  ): Promise<CommandResult | 'refused'> {
    const { token } = command;
    const output = new CommandOutput(options.onLine);
    const stdout = new FrameReader(token, (chunk) => output.pushStdout(chunk));
    const stderr = new FrameReader(token, (chunk) => output.pushStderr(chunk));
    const handlers = {
      onStdout: (chunk: Buffer) => stdout.push(chunk),
      onStderr: (chunk: Buffer) => stderr.push(chunk),
    };
    const child =
      (options.stdin === undefined ? this.#takeStandby()?.become(command.text, handlers) : undefined) ??
      (await startLocalProcess(this.#sshCommand(master, command.text), {
        stdin: options.stdin,
        ...handlers,
      }));
    let leftBehind: string | undefined;
    const watch = watchForStop(options, async () => {
      leftBehind = await this.#stop(child, stdout, token);
    });
    await child.ended;
    await watch.settle();
    output.end();
    if (watch.reason !== undefined) {
      throw stopError(watch.reason, { host: this.name, program, timeoutMs: options.timeoutMs }, leftBehind);
    }
    if (child.pid === undefined) throw sshMissing();
    const result = output.toResult(0);
    const trailer = readTrailer(token, result.stderr);
    if (trailer.exitCode !== undefined) {
      return { exitCode: trailer.exitCode, stdout: result.stdout, stderr: trailer.stderr };
    }
    const began = stderr.header !== undefined || stdout.header !== undefined;
    if (!began && master !== undefined && /Session open refused by peer/.test(stderr.chatter))
      return 'refused';
    // The shell that reports ignores every signal but SIGKILL: on a connection that lives, that is what ended it.
    if (began && (await master?.answers()) === true) return { ...result, exitCode: 137 };
    const said = [master?.messages ?? '', began ? result.stderr : stderr.chatter].join('\n').trim();
    throw outcomeUnknown(this.name, program, said.split(/\r?\n/).at(-1) ?? '');
  }

  /**
   * Ends a command on the host, then the local ssh.
   * @returns what could not be ended, in words; undefined when all is gone
   */
  async #stop(child: LocalProcess, stdout: FrameReader, token: string): Promise<string | undefined> {
    const deadline = Date.now() + headerGraceMs;
    while (stdout.header === undefined && Date.now() < deadline) await sleep(10);
    const group = stdout.header;
    const problem =
      group === undefined || group === ''
        ? 'the host did not say which process it is: it may still run there'
        : await this.#endGroup(group, token);
    // The channel closes by itself once the remote group is gone.
    await Promise.race([child.ended, sleep(problem === undefined ? 500 : 0)]);
    await child.endGroup(200);
    return problem;
  }

  async #endGroup(group: string, token: string): Promise<string | undefined> {
    try {
      await endRemoteGroup((argv, options) => this.run(argv, options), group, token);
      return undefined;
    } catch (error) {
      return `it could not be ended and may still run there: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  #sshCommand(master: SshMaster | undefined, text: string): readonly string[] {
    const { destination, connectTimeoutMs } = this.#options;
    const channel =
      master === undefined
        ? ['-S', 'none']
        : // A client that loses its master connects by itself and would run the command a second time, perhaps after
          // it began. `false` takes that way from it.
          [...controlPathOption(master.controlPath), '-o', 'ProxyCommand=false'];
    return [
      'ssh',
      ...sshConfigOption(this.#options),
      '-o',
      'ControlMaster=no',
      ...channel,
      ...sshOptions(connectTimeoutMs),
      '--',
      destination,
      text,
    ];
  }
}
