import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { lstat, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FlowError } from '../errors/flow-error.ts';
import { TailBuffer } from './collect.ts';
import type { LocalProcess } from './local-process.ts';
import { startLocalProcess } from './local-process.ts';
import { quoteArguments } from './quote.ts';
import type { SshTarget } from './ssh-args.ts';
import { sshConfigOption, sshOptions } from './ssh-args.ts';
import { resolveSsh, sshMissing } from './ssh-config.ts';
import { sshError } from './ssh-errors.ts';
import { FrameReader } from './ssh-frame.ts';

export interface SshMasterOptions {
  readonly target: SshTarget;
  readonly controlDirectory: string;
  readonly connectTimeoutMs: number;
  /** Ends the opening, with its reason. */
  readonly signal?: AbortSignal;
}

/** Milliseconds that authentication may take once keys are exchanged: agents ask hardware, hosts ask directories. */
const authenticationTimeoutMs = 20_000;

/**
 * ssh binds a temporary name, the path with a dot and 16 characters, before it takes its own; sun_path holds 108 bytes
 * with the final NUL.
 * @see unix(7), OpenSSH mux.c
 */
const longestControlPathBytes: number = 108 - 1 - 17;

/**
 * One authenticated connection that later commands share (ControlMaster in ssh_config(5)).
 *
 * The master runs in its own session, so a ^C in the terminal does not cut it. Its own command is `cat`, which reads
 * from a pipe whose other end only criu-flow holds: it is ready when `cat` is about to begin, and when criu-flow ends,
 * be it by SIGKILL, the pipe ends, so `cat` and then the master do. Nothing lingers, and nothing expires while we live.
 */
export class SshMaster {
  readonly controlPath: string;
  readonly #target: SshTarget;
  readonly #child: LocalProcess;
  readonly #stderr: TailBuffer;
  #alive = true;

  private constructor(target: SshTarget, controlPath: string, child: LocalProcess, stderr: TailBuffer) {
    this.#target = target;
    this.controlPath = controlPath;
    this.#child = child;
    this.#stderr = stderr;
    void child.ended.then(() => {
      this.#alive = false;
    });
  }

  /** @throws FlowError HOST_UNREACHABLE, HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, HOST_AUTH_FAILED, TOOL_MISSING */
  static async open(options: SshMasterOptions): Promise<SshMaster> {
    const { target, connectTimeoutMs, signal } = options;
    signal?.throwIfAborted();
    const controlPath = await newControlPath(options.controlDirectory);
    const token = `criu-flow:${randomBytes(8).toString('hex')}`;
    const script = `printf '%s\\n' "$1"; exec cat >/dev/null`;
    const command = `exec ${quoteArguments(['/bin/sh', '-c', script, 'criu-flow', token])}`;
    let ready = (): void => undefined;
    const isReady = new Promise<'ready'>((resolve) => {
      ready = () => resolve('ready');
    });
    const stdout = new FrameReader(token, () => undefined);
    const stderr = new TailBuffer(16 * 1024);
    const child = await startLocalProcess(
      [
        'ssh',
        ...sshConfigOption(target),
        '-M',
        ...controlPathOption(controlPath),
        ...sshOptions(connectTimeoutMs),
        '--',
        target.destination,
        command,
      ],
      {
        stdin: 'open',
        onStdout: (chunk) => {
          stdout.push(chunk);
          if (stdout.header !== undefined) ready();
        },
        onStderr: (chunk) => stderr.push(chunk),
      },
    );
    const over = new AbortController();
    const outcome = await Promise.race([
      isReady,
      child.ended,
      sleep(connectTimeoutMs + authenticationTimeoutMs, 'late' as const, { signal: over.signal }),
      ...(signal ? [once(signal, 'abort', { signal: over.signal })] : []),
    ]);
    over.abort();
    if (outcome === 'ready') return new SshMaster(target, controlPath, child, stderr);
    await child.endGroup();
    await rm(controlPath, { force: true });
    signal?.throwIfAborted();
    if (child.pid === undefined) throw sshMissing();
    const text = stderr.toBuffer().toString();
    throw sshError(
      target,
      outcome === 'late' ? `${text}\nConnection timed out` : text,
      await firstKnownHostsFile(target),
    );
  }

  /** What this ssh has said so far: why it ended, once it has. */
  get messages(): string {
    return this.#stderr.toBuffer().toString().trim();
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  /** Asks the master itself, since one that is about to end still counts as alive. About 5 ms, no network. */
  async answers(): Promise<boolean> {
    if (!this.#alive) return false;
    const ignore = (): void => undefined;
    const check = await startLocalProcess(
      [
        'ssh',
        ...sshConfigOption(this.#target),
        ...controlPathOption(this.controlPath),
        '-O',
        'check',
        '--',
        this.#target.destination,
      ],
      { onStdout: ignore, onStderr: ignore },
    );
    return (await check.ended) === 0 && this.#alive;
  }

  /** Ends the connection and every command that still uses it. Idempotent; never throws. */
  async close(): Promise<void> {
    this.#child.stdin?.end();
    if (this.#alive) await this.#child.endGroup();
    await rm(this.controlPath, { force: true }).catch(() => undefined);
  }
}

/** `-S path`; ssh expands `%` in it. */
export function controlPathOption(controlPath: string): readonly string[] {
  return ['-S', controlPath.replaceAll('%', '%%')];
}

/**
 * A new name for each connection, so that a socket left by a dead one is never taken for a live one.
 * @throws FlowError INPUT_INVALID when the directory is not private or its name is too long
 */
async function newControlPath(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { mode, uid } = await lstat(directory);
  if ((mode & 0o077) !== 0 || uid !== process.getuid?.()) {
    throw new FlowError(
      'INPUT_INVALID',
      `${directory} must belong to you alone: whoever can open the sockets in it can run commands on your hosts.`,
      {
        command: quoteArguments(['chmod', '700', directory]),
      },
    );
  }
  const controlPath = join(directory, `m-${randomBytes(5).toString('hex')}`);
  if (Buffer.byteLength(controlPath) > longestControlPathBytes) {
    throw new FlowError('INPUT_INVALID', `${directory} is too long a name for the sockets of ssh.`, {
      hint: `Linux limits a socket's path; use a directory of at most ${longestControlPathBytes - 13} bytes.`,
    });
  }
  return controlPath;
}

/** The file that a new host key goes into, for the hints of errors. */
async function firstKnownHostsFile(target: SshTarget): Promise<string> {
  try {
    const resolved = await resolveSsh(target.destination, target.sshConfigFile);
    return resolved.userKnownHostsFiles[0] ?? '~/.ssh/known_hosts';
  } catch {
    return '~/.ssh/known_hosts';
  }
}
