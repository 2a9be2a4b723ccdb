import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { quoteArguments } from '../../src/host/quote.ts';
import { main, type CliResult } from '../helpers/cli.ts';
import type { MigrationLab } from '../helpers/migration-lab.ts';

/** A command of criu-flow at work. */
export interface StartedController {
  readonly pid: number;
  readonly ended: Promise<CliResult>;
  readonly isOver: () => boolean;
  /** It had to be killed, for it came to no end of its own. */
  readonly isLate: () => boolean;
  /** @returns whether it was there to get it */
  readonly signal: (name: NodeJS.Signals) => boolean;
}

export interface StartOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Sees each whole line of its report as it comes. */
  readonly onLine?: (line: string, started: StartedController) => void;
}

/** Milliseconds in which each command must have come to an end of its own. */
const LATEST_END_MS = 240_000;

/**
 * Where a person who moves the service of a lab sits: run directories and temporary files of its own, so that all that
 * criu-flow leaves is seen, and a shell into which what it prints is pasted.
 */
export class Controller {
  /** XDG_STATE_HOME: a file system of its own, of 2 MiB. */
  readonly stateDirectory: string;
  /** What was pasted and what it said, for a person who looks into a failure. */
  readonly story: string[] = [];
  readonly #lab: MigrationLab;
  readonly #directory: string;

  constructor(lab: MigrationLab) {
    this.#lab = lab;
    // Short: ssh's sockets are below.
    this.#directory = mkdtempSync(join(tmpdir(), 'cfc-'));
    for (const name of ['bin', 'state', 'tmp']) mkdirSync(join(this.#directory, name));
    this.stateDirectory = join(this.#directory, 'state');
    const options = ['-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'tmpfs'];
    execFileSync('mount', [...options, this.stateDirectory]);
    const argv = quoteArguments([process.execPath, main]);
    const path = quoteArguments([process.env['PATH'] ?? '']);
    this.#program('criu-flow', `PATH=${path} exec ${argv} "$@"`);
    // As a person's own configuration would: what is printed for the hosts of a lab names the file itself.
    const file = quoteArguments([lab.lab.sshConfigFile]);
    this.#program('ssh', `PATH=${path}; [ "$1" = -F ] || set -- -F ${file} "$@"; exec ssh "$@"`);
  }

  #program(name: string, text: string): void {
    writeFileSync(join(this.#directory, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }

  /** Starts criu-flow on the lab. */
  start(argv: readonly string[], options: StartOptions = {}): StartedController {
    return this.#spawn(process.execPath, [main, ...argv, '--lab', this.#lab.lab.name], options);
  }

  /** Runs a command of a report as it was printed. */
  paste(command: string, options: Pick<StartOptions, 'onLine'> = {}): StartedController {
    const PATH = [join(this.#directory, 'bin'), process.env['PATH'] ?? ''].join(delimiter);
    const started = this.#spawn('sh', ['-c', command], { ...options, environment: { PATH } });
    void started.ended.then(({ exitCode, stdout, stderr }) => {
      this.story.push(`$ ${command}\n${stdout}${stderr}exit code ${exitCode}`);
    });
    return started;
  }

  #spawn(program: string, argv: readonly string[], options: StartOptions): StartedController {
    const child = spawn(program, argv, {
      env: { ...process.env, ...this.#environment, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr, rest] = ['', '', ''];
    let isLate = false;
    const timer = setTimeout(() => (isLate = child.kill('SIGKILL')), LATEST_END_MS);
    const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
    const started: StartedController = {
      pid: child.pid ?? 0,
      isOver,
      isLate: () => isLate,
      signal: (name) => !isOver() && child.kill(name),
      ended: new Promise((resolve) => {
        child.on('close', (exitCode) => {
          clearTimeout(timer);
          resolve({ exitCode, stdout, stderr });
        });
      }),
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) options.onLine?.(line, started);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    return started;
  }

  get #environment(): Readonly<Record<string, string>> {
    return { XDG_STATE_HOME: this.stateDirectory, TMPDIR: join(this.#directory, 'tmp') };
  }

  /** The id of the newest run that came to have a journal. */
  newestRun(): string | undefined {
    const runs = join(this.stateDirectory, 'criu-flow', 'runs');
    const names = existsSync(runs) ? readdirSync(runs).toSorted() : [];
    return names.findLast((name) => {
      const journal = join(runs, name, 'journal.jsonl');
      return existsSync(journal) && readFileSync(journal, 'utf8').includes('\n');
    });
  }

  /** What criu-flow has left on this machine: temporary files, processes that use them. */
  left(): readonly string[] {
    const temporary = join(this.#directory, 'tmp');
    const files = readdirSync(temporary).map((name) => `file ${join('$TMPDIR', name)}`);
    const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && usesIn(name, temporary));
    return [...files, ...processes.map((pid) => `process ${commandLine(pid)}`)];
  }

  /** Forgets the runs so far. */
  clear(): void {
    this.story.length = 0;
    for (const name of ['state', 'tmp']) {
      const directory = join(this.#directory, name);
      for (const each of readdirSync(directory)) rmSync(join(directory, each), { recursive: true });
    }
  }

  close(): void {
    execFileSync('umount', [this.stateDirectory]);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function usesIn(pid: string, directory: string): boolean {
  return commandLine(pid).includes(directory);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
