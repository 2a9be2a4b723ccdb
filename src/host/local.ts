import { CommandOutput } from './command-output.ts';
import type { CommandResult, Host, RunOptions } from './host.ts';
import { startLocalProcess } from './local-process.ts';
import { assertArguments } from './quote.ts';
import { stopError, watchForStop } from './stop.ts';

/** The machine that criu-flow itself runs on. */
export class LocalHost implements Host {
  readonly name = 'local';

  /**
   * Standard output keeps its first MiB, standard error its last. A command has ended when its output is closed: one
   * that leaves something running in the background must give it other output, or is waited for.
   * @throws FlowError TIMEOUT, INTERRUPTED, INPUT_INVALID
   */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    assertArguments(argv);
    const command = { host: this.name, program: argv[0] ?? '', timeoutMs: options.timeoutMs };
    if (options.signal?.aborted === true) throw stopError('aborted', command);
    const output = new CommandOutput(options.onLine);
    const child = await startLocalProcess(argv, {
      stdin: options.stdin,
      onStdout: (chunk) => output.pushStdout(chunk),
      onStderr: (chunk) => output.pushStderr(chunk),
    });
    const watch = watchForStop(options, () => child.endGroup());
    const exitCode = await child.ended;
    await watch.settle();
    output.end();
    if (watch.reason !== undefined) throw stopError(watch.reason, command);
    return output.toResult(exitCode);
  }

  /** Nothing to prepare: a command here is one fork. */
  async standBy(): Promise<void> {
    // As above.
  }

  /** Nothing to close. */
  async close(): Promise<void> {
    // A local host holds no connection.
  }
}
