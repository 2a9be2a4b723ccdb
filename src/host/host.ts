/** What a finished command left behind. A non-zero exit code is a result, not an exception. */
export interface CommandResult {
  /** The exit code; 128 + N when signal N ended the command. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /**
   * Written to the command's standard input, which is empty otherwise. A promise, which must not reject, leaves the
   * command waiting for its input until then.
   */
  readonly stdin?: string | Uint8Array | Promise<string>;
  /** Milliseconds after which the command's whole group is ended and TIMEOUT is thrown. @default 60000 */
  readonly timeoutMs?: number;
  /** Ends the command's whole group when aborted, and INTERRUPTED is thrown. */
  readonly signal?: AbortSignal;
  /**
   * Called with each piece of standard output as it arrives, split on `\n` and `\r` (progress meters use the
   * latter). The text is still collected in the result, up to 1 MiB.
   */
  readonly onLine?: (line: string) => void;
}

/**
 * The one seam through which criu-flow touches a machine. Two implementations, local and SSH, pass the same
 * contract tests (test/host/host-contract.ts).
 */
export interface Host {
  /** As the user named it: `root@a`, an alias of ssh_config, or `local`. */
  readonly name: string;
  /** Another file than ~/.ssh/config by which ssh reaches it, for the commands that people are given. */
  readonly sshConfigFile?: string | undefined;
  /**
   * Runs one program with exactly these arguments (no shell reads them) and waits for it.
   * @throws FlowError HOST_UNREACHABLE, HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, HOST_AUTH_FAILED when the host cannot be
   *   asked; TIMEOUT; INTERRUPTED. Never for a non-zero exit code; a missing program is exit code 127.
   */
  run(argv: readonly string[], options?: RunOptions): Promise<CommandResult>;
  /**
   * Does now what the next `count` commands without input would else do when they begin, so that they begin sooner. What
   * cannot be prepared is left to them. Never throws.
   */
  standBy(count: number): Promise<void>;
  /** Closes the connection. Idempotent; never throws. */
  close(): Promise<void>;
}
