import { randomBytes } from 'node:crypto';
import { assertArguments, quoteArguments } from './quote.ts';

/**
 * How a remote command reports itself.
 *
 * ssh's own exit code cannot be trusted: 255 means refused, not authenticated, lost, a command that exited with 255, or
 * one that a signal ended. So a fixed script runs the command and frames what it writes with a random token:
 *
 *     stdout:  [a login script's chatter] TOKEN pgid \n [the command's output]
 *     stderr:  [ssh's and the login script's chatter] TOKEN \n [the command's messages] TOKEN code \n
 *
 * - A code after the token is the command's exit code, whatever ssh exits with.
 * - A token without a code: the command began, and its end is not known.
 * - No token at all: the command did not begin, and all of stderr is ssh's.
 * - `pgid` is the process group, so that a second command can end it: ending the local ssh leaves it running.
 *
 * All of it costs no round trip of its own, and no process but the shell that sshd starts anyway.
 */
const frameScript = `
exec 3>&2 2>/dev/null
trap : HUP INT TERM
export LC_ALL=C
group() { read -r stat && set -- \${stat##*) } && printf '%s %s\\n' "$token" "$3"; }
token=$1
shift
group </proc/$$/stat
printf '%s\\n' "$token" >&3
(exec "$@") 2>&3 3>&-
printf '%s %s\\n' "$token" "$?" >&3
`.trim();
// Line by line:
// 1 The shell's own words ("Killed") must not mix with the command's: it keeps the real stderr as 3.
// 2 A signal to the whole group must not end the shell before it has reported; unlike ignoring ('') a handler is not
//   inherited, so the command starts with the default actions.
// 4 Field 5 of /proc/PID/stat, counted after the name, which may hold spaces and parentheses; sshd makes a session
//   for each command, so the group is this command's alone. Builtins only: no further process.
// 9 exec, so that a program is run even where the shell has a builtin of that name.

/** A command's text for the remote login shell, and the token its answer is framed with. */
export interface FramedCommand {
  readonly token: string;
  readonly text: string;
}

/**
 * Linux passes no single argument longer than this, in bytes, its final NUL included (MAX_ARG_STRLEN), and sshd passes
 * the whole text as one.
 * @see execve(2)
 */
export const longestCommandBytes: number = 128 * 1024;

/** @throws FlowError INPUT_INVALID for arguments that no program can receive */
export function frameCommand(argv: readonly string[]): FramedCommand {
  assertArguments(argv);
  const token = `criu-flow:${randomBytes(8).toString('hex')}`;
  // `exec` drops the login shell, when that is not a POSIX sh, in favour of one that is.
  const text = `exec ${quoteArguments(['/bin/sh', '-c', frameScript, 'criu-flow', token, ...argv])}`;
  return { token, text };
}

/** Chatter before the token that is kept, for diagnostics, in bytes. */
const chatterLimitBytes = 64 * 1024;

/** Cuts the line that begins with the token off the front of a stream, together with everything before it. */
export class FrameReader {
  readonly #token: Buffer;
  readonly #onText: (chunk: Buffer) => void;
  #waiting: Buffer = Buffer.alloc(0);
  #header: string | undefined;

  constructor(token: string, onText: (chunk: Buffer) => void) {
    this.#token = Buffer.from(token);
    this.#onText = onText;
  }

  /** The rest of the token's line, trimmed; undefined before it has arrived. */
  get header(): string | undefined {
    return this.#header;
  }

  /** What came before the token. */
  get chatter(): string {
    return this.#waiting.toString();
  }

  push(chunk: Buffer): void {
    if (this.#header !== undefined) {
      this.#onText(chunk);
      return;
    }
    const seen = Buffer.concat([this.#waiting, chunk]);
    const start = seen.indexOf(this.#token);
    const end = start === -1 ? -1 : seen.indexOf(10, start);
    if (end === -1) {
      this.#waiting = Buffer.from(seen.subarray(Math.max(0, seen.length - chatterLimitBytes)));
      return;
    }
    this.#waiting = Buffer.from(seen.subarray(0, start));
    this.#header = seen
      .subarray(start + this.#token.length, end)
      .toString()
      .trim();
    if (end + 1 < seen.length) this.#onText(seen.subarray(end + 1));
  }
}

/**
 * Takes the closing line out of the end of stderr.
 * @returns the exit code, undefined when the command's end was not reported, and stderr without that line; what
 *   a descendant wrote after the end stays
 */
export function readTrailer(token: string, stderr: string): { exitCode: number | undefined; stderr: string } {
  const start = stderr.lastIndexOf(token);
  const match = start === -1 ? null : /^ (\d{1,3})\n/.exec(stderr.slice(start + token.length));
  if (match === null) return { exitCode: undefined, stderr };
  const after = stderr.slice(start + token.length + match[0].length);
  return { exitCode: Number(match[1]), stderr: stderr.slice(0, start) + after };
}
