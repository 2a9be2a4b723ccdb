import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalProcess, LocalProcessOptions } from './local-process.ts';
import { startLocalProcess } from './local-process.ts';
import { FrameReader } from './ssh-frame.ts';

type OutputHandlers = Pick<LocalProcessOptions, 'onStdout' | 'onStderr'>;

/** Milliseconds for the shell behind a channel to answer. */
const readyTimeoutMs = 10_000;

/** The shell reads its command from standard input, so the login shell gives way to one that is known to do so. */
export const standbyCommand = 'exec /bin/sh';

/**
 * A channel that was opened before it is needed, with a shell behind it that waits for its one command. What it saves is
 * the time to start ssh here, and to open the channel and start a shell there: 10 ms and two round trips.
 */
export class SshStandby {
  readonly #child: LocalProcess;
  readonly #listener: { handlers?: OutputHandlers };
  #isAlive = true;

  private constructor(child: LocalProcess, listener: { handlers?: OutputHandlers }) {
    this.#child = child;
    this.#listener = listener;
    void child.ended.then(() => {
      this.#isAlive = false;
    });
  }

  /**
   * Opens a channel with ssh's arguments, which must name {@link standbyCommand}, and waits until the shell answers.
   * @returns undefined when it does not, as when sshd allows no more sessions
   */
  static async open(argv: readonly string[]): Promise<SshStandby | undefined> {
    const token = `criu-flow:${randomBytes(8).toString('hex')}`;
    const listener: { handlers?: OutputHandlers } = {};
    let isReady = (): void => undefined;
    const ready = new Promise<'ready'>((resolve) => {
      isReady = () => resolve('ready');
    });
    // Whatever a login script says comes before the token, and belongs to nobody's command.
    const stdout = new FrameReader(token, (chunk) => listener.handlers?.onStdout(chunk));
    const child = await startLocalProcess(argv, {
      stdin: 'open',
      onStdout: (chunk) => {
        stdout.push(chunk);
        if (stdout.header !== undefined) isReady();
      },
      onStderr: (chunk) => listener.handlers?.onStderr(chunk),
    });
    // A channel that is refused closes the pipe under us: its end tells, not the write.
    child.stdin?.on('error', () => undefined);
    child.stdin?.write(`echo ${token}\n`);
    const timer = new AbortController();
    const outcome = await Promise.race([
      ready,
      child.ended,
      sleep(readyTimeoutMs, 'late' as const, { signal: timer.signal }),
    ]);
    timer.abort();
    if (outcome === 'ready') return new SshStandby(child, listener);
    await child.endGroup(0);
    return undefined;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Becomes the process of one command, a line for a POSIX shell. Its standard input is empty. */
  become(command: string, handlers: OutputHandlers): LocalProcess {
    this.#listener.handlers = handlers;
    this.#child.stdin?.end(`${command} < /dev/null\n`);
    return this.#child;
  }

  /** Ends a channel that was not needed. */
  async close(): Promise<void> {
    this.#child.stdin?.end();
    await this.#child.endGroup(0);
  }
}
