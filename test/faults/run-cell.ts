import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { CliResult } from '../helpers/cli.ts';
import type { MigrationLab } from '../helpers/migration-lab.ts';
import { copies, leftBehind, lookAtService, settledTraces } from './aftermath.ts';
import { type Boundary, steps } from './boundaries.ts';
import { Controller, type StartedController } from './controller.ts';
import type { Fault, Side } from './fault.ts';
import { BY_HAND, follow, NOTHING_LEFT } from './follow.ts';
import { settleIn } from './power-faults.ts';

const pause = fileURLToPath(new URL('pause.mjs', import.meta.url));

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
  const controller = new Controller(lab);
  try {
    for (const host of ['a', 'b'] as const) await settleIn(lab, host);
    const pid = await lab.startService({ memoryMiB: 4 });
    const before = await settledTraces(lab);
    const scene = { lab, controller, pid, from: 'a', to: 'b', random: () => 0 } as const;
    await fault.before?.(scene);
    const run = start(controller, lab, boundary);
    await untilStopped(run, boundary);
    const { missed, isLost = false } = await fault.inject({ ...scene, run });
    if (missed !== undefined) {
      run.signal('SIGKILL');
      await run.ended;
      await fault.after?.(scene);
      return { state: `– ${missed}`, story: '', violations: [] };
    }
    run.signal('SIGCONT');
    const first = await run.ended;
    await fault.heal?.(scene);
    const followed = first.exitCode === 0 ? NOTHING_LEFT : await follow(controller, first.stdout);
    await fault.after?.(scene);
    const on = await copies(lab);
    const [host] = on;
    // What is brought back by hand is older than its client knows it.
    const isOlder = followed.commands.includes(BY_HAND);
    return {
      state: describe(first, followed.commands, on),
      story: [first.stdout.split('\n').slice(-8).join('\n'), first.stderr, ...controller.story].join('\n'),
      violations: [
        ...(run.isLate() ? ['the run came to no end'] : []),
        ...followed.violations,
        ...(on.length === 1 || (isLost && on.length === 0) ? [] : [`${on.length} copies`]),
        ...(host === undefined || isOlder ? [] : await lookAtService(lab, host)),
        ...(await leftBehind(lab, controller, before, host !== 'a')),
      ],
    };
  } finally {
    await lab.reset();
    await lab.scrub();
    controller.close();
  }
}

/** Starts the move, which stops itself at the boundary. */
function start(controller: Controller, lab: MigrationLab, boundary: Boundary): StartedController {
  const recipe = lab.writeRecipe({
    workload: 'pidFile: /srv/tcp/pid',
    network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
    files: ['/srv/tcp'],
    steps: steps(lab.address),
  });
  return controller.start(['run', recipe, '--reporter', 'json'], {
    environment: { NODE_OPTIONS: `--import ${pause}`, CRIU_FLOW_PAUSE_AT: boundary.event },
  });
}

async function untilStopped(run: StartedController, boundary: Boundary): Promise<void> {
  while (stateLetter(run.pid) !== 'T') {
    if (run.isOver()) {
      const { stdout, stderr } = await run.ended;
      throw new Error(`it never came to ${boundary.event}:\n${stdout}${stderr}`);
    }
    await sleep(5);
  }
}

function stateLetter(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '';
  } catch {
    return '';
  }
}

function describe(first: CliResult, commands: readonly string[], on: readonly Side[]): string {
  const where =
    on.length === 1
      ? on[0] === 'a'
        ? 'source'
        : 'destination'
      : on.length === 0
        ? 'lost'
        : `${on.length} copies`;
  return commands.length > 0
    ? `${where}, by ${commands.join(', ')}`
    : `${where} (${first.exitCode ?? 'killed'})`;
}
