import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { CliResult } from '../helpers/cli.ts';
import type { MigrationLab } from '../helpers/migration-lab.ts';
import { BY_HAND, follow, leftOnHosts, lookAtService } from './aftermath.ts';
import { type Boundary, steps } from './boundaries.ts';
import { afterwards, type Fault, type Scene, spreadPids } from './fault.ts';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const pause = fileURLToPath(new URL('pause.mjs', import.meta.url));

/** Milliseconds in which the controller must have come to an end of its own. */
const CONTROLLER_MS = 240_000;

/** Milliseconds until TCP has told the end of a session whose link was cut: the kernel says it again, more and more seldom. */
const SETTLED_MS = 150_000;

export interface CellResult {
  /** For the table: where the workload runs, and who brought it there. */
  readonly state: string;
  /** What was done and said, for a person who looks into a failure. */
  readonly story: string;
  /** Empty when the cell is as it must be. */
  readonly violations: readonly string[];
}

/** Moves a service with its client, lets one thing go wrong at one boundary, and brings the run to its end as its user would. */
export async function runCell(lab: MigrationLab, boundary: Boundary, fault: Fault): Promise<CellResult> {
  if (fault.notAtEnd !== undefined && boundary.title === 'end') {
    return { state: `– ${fault.notAtEnd}`, story: '', violations: [] };
  }
  const stateDirectory = mkdtempSync(join(tmpdir(), 'criu-flow-cell-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'tmpfs', stateDirectory]);
  const story: string[] = [];
  try {
    await spreadPids(lab);
    await fault.before?.({ lab, stateDirectory });
    const pid = await lab.startService({ memoryMiB: 4 });
    const before = { a: await settledTraces(lab, 'a'), b: await settledTraces(lab, 'b') };
    const env = { XDG_STATE_HOME: stateDirectory };
    const controller = start(lab, boundary, env);
    const scene: Scene = { lab, stateDirectory, controllerPid: controller.pid };
    await controller.stopped;
    const nothing = await fault.inject(scene);
    if (nothing !== undefined) {
      controller.kill('SIGKILL');
      await controller.ended;
      return { state: `– ${nothing}`, story: '', violations: [] };
    }
    if (fault.endsController === true) controller.kill('SIGKILL');
    controller.kill('SIGCONT');
    const first = await controller.ended;
    story.push(
      `run: exit code ${first.exitCode}`,
      first.stdout.split('\n').slice(-8).join('\n'),
      first.stderr,
    );
    await fault.heal?.(scene);
    const followed = first.exitCode === 0 ? [] : await follow(lab, env, story);
    const ends = await look(lab, pid, before, followed.includes(BY_HAND));
    return {
      state: describe(first, followed, ends.on),
      story: story.join('\n'),
      violations: ends.violations,
    };
  } finally {
    await afterwards({ lab });
    await lab.reset();
    await lab.scrub();
    execFileSync('umount', [stateDirectory]);
    rmSync(stateDirectory, { recursive: true, force: true });
  }
}

/** Starts the move, which stops itself at the boundary. */
function start(
  lab: MigrationLab,
  boundary: Boundary,
  env: Readonly<Record<string, string>>,
): {
  readonly pid: number;
  readonly stopped: Promise<void>;
  readonly ended: Promise<CliResult>;
  readonly kill: (signal: NodeJS.Signals) => void;
} {
  const recipe = lab.writeRecipe({
    workload: 'pidFile: /srv/tcp/pid',
    network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
    files: ['/srv/tcp'],
    steps: steps(lab.address),
  });
  const child = spawn(
    process.execPath,
    ['--import', pause, main, 'run', recipe, '--lab', lab.lab.name, '--reporter', 'json'],
    {
      env: { ...process.env, ...env, CRIU_FLOW_PAUSE_AT: boundary.event },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const pid = child.pid ?? 0;
  const timer = setTimeout(() => child.kill('SIGKILL'), CONTROLLER_MS);
  const ended = new Promise<CliResult>((resolve) => {
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      resolve({ exitCode, stdout, stderr });
    });
  });
  const untilStopped = async (): Promise<void> => {
    while (stateLetter(pid) !== 'T') {
      if (child.exitCode !== null) throw new Error(`it never came to ${boundary.event}:\n${stdout}${stderr}`);
      await sleep(5);
    }
  };
  return { pid, stopped: untilStopped(), ended, kill: (signal) => child.kill(signal) };
}

function stateLetter(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '';
  } catch {
    return '';
  }
}

async function settledTraces(lab: MigrationLab, host: 'a' | 'b'): Promise<string> {
  let traces = await lab.traces(host);
  for (const deadline = performance.now() + 5000; performance.now() < deadline;) {
    await sleep(50);
    const now = await lab.traces(host);
    if (now === traces) return now;
    traces = now;
  }
  return traces;
}

/** One copy runs, with its client and without a hole in what it wrote; nothing else is left. */
async function look(
  lab: MigrationLab,
  pid: number,
  before: Readonly<Record<'a' | 'b', string>>,
  isOlder: boolean,
): Promise<{ readonly on: readonly ('a' | 'b')[]; readonly violations: readonly string[] }> {
  const violations: string[] = [];
  const starts = { a: await lab.processStart('a', pid), b: await lab.processStart('b', pid) };
  const on = (['a', 'b'] as const).filter((host) => starts[host] !== '');
  if (on.length !== 1) violations.push(`${on.length} copies run`);
  const [host] = on;
  if (host === undefined) return { on, violations };
  if (!isOlder) violations.push(...(await lookAtService(lab, host)));
  if (host === 'a') {
    for (const name of ['a', 'b'] as const) {
      const now = await lab.tracesSettled(name, before[name], SETTLED_MS);
      if (now !== before[name]) violations.push(`left on ${name}:\n${difference(before[name], now)}`);
    }
    return { on, violations };
  }
  violations.push(...(await leftOnHosts(lab)));
  return { on, violations };
}

function difference(before: string, now: string): string {
  const [old, current] = [before.split('\n'), now.split('\n')];
  const lines = [
    ...old.filter((line) => !current.includes(line)).map((line) => `- ${line}`),
    ...current.filter((line) => !old.includes(line)).map((line) => `+ ${line}`),
  ];
  return lines.join('\n');
}

function describe(first: CliResult, commands: readonly string[], on: readonly ('a' | 'b')[]): string {
  const where = on.length === 1 ? (on[0] === 'a' ? 'source' : 'destination') : `${on.length} copies`;
  return commands.length > 0
    ? `${where}, by ${commands.join(', ')}`
    : `${where} (${first.exitCode ?? 'killed'})`;
}
