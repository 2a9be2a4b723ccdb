import { dumpArguments, restoreArguments } from '../criu/arguments.ts';
import { actionScriptOf } from '../criu/hold.ts';
import { FENCE_UP } from '../criu/hold-script.ts';
import { removeFenceCommand } from '../criu/lock-table.ts';
import { addressAddCommand, addressOffCommand, announceCommand } from '../network/address-script.ts';
import { FENCE_SCRIPT, fenceTable, liftBothCommand, serviceFence } from '../network/fence.ts';
import type { ActingStep, Plan } from '../plan/plan.ts';
import { criuOptions, dumpHold, restoreHold } from '../steps/criu-options.ts';
import { imagesPath } from '../steps/transfer-rsync.ts';
import { directPathConfig } from '../transfer/one-run-key.ts';
import { filesCommand, imagesCommand } from '../transfer/rsync.ts';
import { stagedFile, stagingPath } from '../transfer/staging.ts';
import { describeSelector } from '../workload/find.ts';
import type { Act, ForecastCommand, Mark, Place } from './forecast.ts';
import { hole, toWord } from './word.ts';

/** What a run names its things by. Before there is one, {@link unknownRun} has holes in their places. */
export interface RunNames {
  readonly plan: Plan;
  readonly attemptId: string;
  readonly runDirectory: string;
  readonly pid: string;
  /** What criu is told of a workload whose session does not move: its option, nothing, or a hole. */
  readonly shellJob: string;
  /** What stands at the end of the path of a file that moves: a slash for a directory. */
  readonly slash: string;
}

export function unknownRun(plan: Plan): RunNames {
  return {
    plan,
    // The first attempt, as a run begins.
    attemptId: `${hole('run')}-1`,
    runDirectory: hole('dir'),
    pid: plan.workload.kind === 'pid' ? String(plan.workload.pid) : hole('pid'),
    shellJob: hole('shell-job'),
    slash: hole('slash'),
  };
}

/** Round trips of an rsync that begins. */
const RSYNC_ROUND_TRIPS = 3;

export type MoveStep = Exclude<ActingStep['uses'], 'verify' | 'approve' | 'command'> | 'lock' | 'clean-up';

/** What the steps of one kind of recipe do. */
export type ActsOf = Partial<Record<MoveStep, (names: RunNames) => readonly Act[]>>;

/** What the steps of the move do, in their order, with the command lines that their own modules make. */
export const MOVE_ACTS: Readonly<
  Record<
    Exclude<MoveStep, 'checkpoint' | 'transfer/checkpoint' | 'give-up'>,
    (names: RunNames) => readonly Act[]
  >
> = {
  lock: ({ plan }) => [
    work('source', `find the ${describeSelector(plan.workload)}`),
    work('both', 'take its process ids, in /var/lib/criu-flow/locks, so that no other run can have it'),
  ],
  preflight: () => [
    work('both', 'look for the tools, root, and a criu that works on the kernel (criu check)'),
    work('source', 'look at the processes, their files and their connections'),
    work('destination', 'see that pids, files, room and the address fit'),
  ],
  prepare: (names) => [...prepareDump(), ...prepareTransfer(names), ...prepareRestore(names)],
  dump: dumpActs,
  'transfer/rsync': transferActs,
  restore: restoreActs,
  commit: commitActs,
  'clean-up': cleanUpActs,
};

function prepareDump(): readonly Act[] {
  return [work('source', 'make the directory of the images, and a process that waits to become criu')];
}

function prepareTransfer(names: RunNames): readonly Act[] {
  const { plan } = names;
  const hasFiles = plan.files.length > 0;
  return [
    work('destination', `make room for the images${hasFiles ? ', and the directories above the files' : ''}`),
    work('source', 'make a key for this run (ssh-keygen)'),
    work('destination', 'let it in, for rsync only and for a day at most (~/.ssh/authorized_keys)'),
    work('source', 'connect to the destination by ssh, and send up to 64 MiB of zeros to warm that up'),
    ...(hasFiles ? [work('source', 'copy the files while the workload runs', copyFiles(names))] : []),
    work('source', 'begin the rsync of the images, which waits to be told', [
      command('source', imagesCommand({ sshConfigFile: sshConfig(names), ...imagesPath(names) })),
    ]),
  ];
}

function prepareRestore({ plan, attemptId }: RunNames): readonly Act[] {
  const { address } = plan.network;
  const wait = work('destination', 'make a process that waits to become criu');
  if (!address) return [wait];
  const { text } = serviceFence(attemptId, address.cidr, 'both');
  return [
    wait,
    work('destination', `drop what goes to and from ${host(address.cidr)}: nobody answers for it there`, [
      { ...command('destination', FENCE_SCRIPT.split(' ')), stdin: toWord(text) },
    ]),
    work('destination', 'end connections of the address that no process has (ss -K)'),
  ];
}

function dumpActs(names: RunNames): readonly Act[] {
  const { plan, runDirectory, pid } = names;
  const { address } = plan.network;
  const directory = dumpHold(runDirectory);
  const options = { ...optionsOf(names, directory), actionScript: actionScriptOf(directory) };
  const fence = address && serviceFence(names.attemptId, address.cidr, 'in');
  return [
    work('both', 'touch as much memory as the workload has, and see that it is the same process'),
    ...(address && fence
      ? [
          work(
            'source',
            `drop what goes to ${host(address.cidr)} (in fence.nft: table inet ${shown(fence.table)})`,
            [command('source', FENCE_UP.split(' '))],
          ),
        ]
      : []),
    mark('freeze'),
    {
      ...work('source', 'freeze it, write its images, and hold it', [
        command('source', criuLine(names, dumpArguments(pid, options))),
      ]),
      roundTrips: 1,
    },
  ];
}

function transferActs(names: RunNames): readonly Act[] {
  const { plan } = names;
  const images = work('source', 'let the waiting rsync copy the images; read their digests meanwhile');
  if (plan.files.length === 0) return [{ ...images, roundTrips: 1 }];
  return [
    images,
    {
      ...work('source', 'meanwhile, copy what changed in the files since', copyFiles(names)),
      roundTrips: RSYNC_ROUND_TRIPS * plan.files.length,
    },
    work(
      'source',
      'look which of them it has mapped shared, and copy those again: their times may tell nothing',
    ),
  ];
}

function restoreActs(names: RunNames): readonly Act[] {
  const { plan, runDirectory } = names;
  const { address } = plan.network;
  const directory = restoreHold(runDirectory);
  const options = { ...optionsOf(names, directory), actionScript: actionScriptOf(directory) };
  const files = plan.files.length > 0 ? ', put the files into their place' : '';
  return [
    ...(address
      ? [
          work('source', 'take the address off', [command('source', addressOffCommand(address))]),
          work('destination', 'see that the pids are free, add the address', [
            command('destination', addressAddCommand(address)),
          ]),
        ]
      : [work('destination', 'see that the pids are free')]),
    {
      ...work(
        'destination',
        `${files.slice(2)}${files === '' ? '' : '; '}rebuild it, and hold it before it runs`,
        [command('destination', criuLine(names, restoreArguments(options)))],
      ),
      roundTrips: 1,
    },
    work('both', 'compare the digests of the images'),
  ];
}

function commitActs({ plan, attemptId }: RunNames): readonly Act[] {
  const { address } = plan.network;
  const announce = address && announceCommand(address);
  return [
    { ...work('destination', 'let its copy wait for ever'), roundTrips: 1 },
    mark('commit-point'),
    { ...work('source', 'let criu end its copy, and see that it is gone'), roundTrips: 1 },
    { ...work('destination', 'let criu go: its copy runs'), roundTrips: 1 },
    mark('runs-again'),
    ...(address
      ? [
          work('destination', 'let traffic in, and tell the neighbours where the address is', [
            command('destination', liftBothCommand(fenceTable(attemptId))),
            ...(announce ? [command('destination', announce)] : []),
          ]),
        ]
      : []),
  ];
}

function cleanUpActs({ plan, attemptId }: RunNames): readonly Act[] {
  const { address } = plan.network;
  const had = plan.files.length > 0 ? ', what the files replaced' : '';
  return [
    work('source', 'close the connection to the destination'),
    work(
      'destination',
      `remove the key${had}${address ? ', the fence if it is there' : ''} and the directory of the run`,
      address ? [command('destination', liftBothCommand(fenceTable(attemptId)))] : [],
    ),
    work(
      'source',
      `${address ? 'end connections that no process has (ss -K), ' : ''}remove the rules of criu, the fence if there is one, the directory of the run`,
      [command('source', removeFenceCommand(fenceTable(attemptId)))],
    ),
    work('both', 'give the locks up'),
  ];
}

export function optionsOf(names: RunNames, directory: string): ReturnType<typeof criuOptions> {
  return criuOptions(names, directory, true);
}

/** Whether it is told of a shell job is seen when the workload is looked at. */
export function criuLine({ shellJob }: RunNames, argv: readonly string[]): string[] {
  return argv.flatMap((word) => (word === '--shell-job' ? (shellJob === '' ? [] : [shellJob]) : [word]));
}

function copyFiles(names: RunNames): readonly ForecastCommand[] {
  const { plan, attemptId, slash } = names;
  return plan.files.map((file) => {
    const path = stagingPath(stagedFile(file, attemptId), slash);
    return command('source', filesCommand({ sshConfigFile: sshConfig(names), ...path }));
  });
}

function sshConfig({ runDirectory }: RunNames): string {
  return directPathConfig(runDirectory);
}

function host(cidr: string): string {
  return cidr.replace(/\/.*/, '');
}

function shown(text: string): string {
  const word = toWord(text);
  return typeof word === 'string' ? word : word.text;
}

export function command(on: Place, argv: readonly string[]): ForecastCommand {
  return { on, argv: argv.map(toWord) };
}

export function work(
  on: Place | 'both',
  does: string,
  commands: readonly ForecastCommand[] = [],
): Act & { kind: 'work' } {
  return { kind: 'work', on, does, commands };
}

export function mark(name: Mark): Act {
  return { kind: 'mark', mark: name };
}
