import {
  dumpArguments,
  lazyPagesArguments,
  lazyRestoreArguments,
  preDumpArguments,
  restoreArguments,
} from '../criu/arguments.ts';
import { actionScriptOf } from '../criu/hold.ts';
import { FENCE_UP } from '../criu/hold-script.ts';
import { removeFenceCommand } from '../criu/lock-table.ts';
import { addressAddCommand, addressOffCommand, announceCommand } from '../network/address-script.ts';
import { FENCE_SCRIPT, fenceTable, liftBothCommand, serviceFence } from '../network/fence.ts';
import { type ActingStep, allowedFindings, isPostCopied, isPreCopied, isStreamed } from '../plan/plan.ts';
import { criuOptions, dumpHold, restoreHold } from '../steps/criu-options.ts';
import { imagesDirectory } from '../steps/step.ts';
import { LAST_ROUND, roundName } from '../transfer/rounds.ts';
import { portFenceDownCommand } from '../network/port-fence.ts';
import { describeSelector } from '../workload/find.ts';
import { command, mark, type RunNames, work } from './act.ts';
import { LEAST_GHOST_LIMIT_BYTES } from '../workload/criu-needs.ts';
import type { Act } from './forecast.ts';
import { TRANSFER_ACTS, transferOf } from './transfer-acts.ts';
import { toWord } from './word.ts';

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
  preflight: ({ plan }) => [
    work('both', 'look for the tools, root, and a criu that works on the kernel (criu check)'),
    work('source', 'look at the processes, their files and their connections'),
    work('destination', 'see that pids, files, room and the address fit'),
    ...allowedActs(plan),
  ],
  prepare: (names) => [
    work('source', 'make the directory of the images'),
    ...transferActs(names).prepare(names),
    ...chooseActs(names),
    work('source', 'make a process that waits to become criu'),
    ...(transferActs(names).arm?.(names) ?? []),
    ...armRestore(names),
  ],
  'pre-copy': preCopyActs,
  dump: dumpActs,
  'transfer/rsync': TRANSFER_ACTS['transfer/rsync'].main,
  'transfer/sftp': TRANSFER_ACTS['transfer/sftp'].main,
  'transfer/shared': TRANSFER_ACTS['transfer/shared'].main,
  'transfer/stream': TRANSFER_ACTS['transfer/stream'].main,
  restore: restoreActs,
  commit: commitActs,
  'post-copy': () => [
    work(
      'destination',
      'fetch what it has not asked for of its memory, while it runs; when that fails, end it there',
    ),
    work('source', 'end its copy, which was frozen until then'),
  ],
  'clean-up': cleanUpActs,
};

/** What a person who reads the plan must see. */
export function allowedActs(plan: RunNames['plan']): readonly Act[] {
  const codes = allowedFindings(plan);
  return codes.length === 0
    ? []
    : [work('local', `go past these findings, with a warning each: ${codes.join(', ')}`)];
}

/** Each plan of a move has one. */
function transferActs({ plan }: RunNames): (typeof TRANSFER_ACTS)['transfer/rsync'] {
  return TRANSFER_ACTS[transferOf(plan) ?? 'transfer/rsync'];
}

function armRestore({ plan, attemptId }: RunNames): readonly Act[] {
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

function chooseActs({ plan }: RunNames): readonly Act[] {
  if (plan.strategy !== 'auto') return [];
  return [
    work('source', 'look for two seconds how much of its memory it writes to, by a sample'),
    work(
      'both',
      'see how long samples of its memory take to the destination, of 64 MiB at most, and remove them',
    ),
    work('local', 'choose the strategy: what follows is shown as of stop-and-copy'),
  ];
}

/** The first round; each other one is the same since the one before. */
function preCopyActs(names: RunNames): readonly Act[] {
  const { plan, pid } = names;
  const round = roundName(1);
  const options = {
    ...optionsOf(names, `${names.runDirectory}/${round}`),
    imagesDirectory: `${imagesDirectory(names)}/${round}`,
  };
  const carry = transferActs(names).carryRound?.(names, round);
  return [
    work(
      'source',
      `write its memory while it runs, in at most ${roundsOf(plan)} rounds: each has what it has written to since the one before (by Perl where the kernel does not track that)`,
      [command('source', criuLine(names, preDumpArguments(pid, options)))],
    ),
    ...(carry ? [carry] : []),
    work('both', 'compare the digests of each round'),
    ...(plan.files.length > 0 ? [work('source', 'before the last round, copy the files once more')] : []),
    work('both', 'before the last round, touch as much memory as will be used'),
  ];
}

function roundsOf({ steps }: RunNames['plan']): number {
  const step = steps.find((each) => each.uses === 'pre-copy');
  return step?.uses === 'pre-copy' ? step.rounds : 0;
}

function dumpActs(names: RunNames): readonly Act[] {
  const { plan, runDirectory, pid } = names;
  const { address } = plan.network;
  const directory = dumpHold(runDirectory);
  const options = { ...optionsOf(names, directory), actionScript: actionScriptOf(directory) };
  const fence = address && serviceFence(names.attemptId, address.cidr, 'in');
  const port = isStreamed(plan) ? names.port : undefined;
  const isLazy = isPostCopied(plan);
  const does = isLazy
    ? 'freeze it, write its images without most of its memory, and hold it'
    : 'freeze it, write its images, and hold it';
  return [
    isPreCopied(plan)
      ? work('source', 'see that it is the same process')
      : work('both', 'touch as much memory as the workload has, and see that it is the same process'),
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
      ...work(
        'source',
        port === undefined
          ? does
          : 'freeze it, send its memory to the page server, write its other images, and hold it',
        [
          command(
            'source',
            criuLine(
              names,
              dumpArguments(pid, options, {
                ...(port !== undefined && { pageServerPort: port }),
                ...(isLazy && { lazyPort: names.port }),
                ...(isPreCopied(plan) && { parent: LAST_ROUND }),
              }),
            ),
          ),
        ],
      ),
      roundTrips: 1,
    },
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
        isPostCopied(plan)
          ? [
              command('destination', lazyPagesArguments(options, names.port)),
              command('destination', criuLine(names, lazyRestoreArguments(options))),
            ]
          : [command('destination', criuLine(names, restoreArguments(options)))],
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
    {
      ...work(
        'source',
        isPostCopied(plan)
          ? 'note that its copy may not run on there, and leave it frozen'
          : 'let criu end its copy, and see that it is gone',
      ),
      roundTrips: 1,
    },
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

function cleanUpActs(names: RunNames): readonly Act[] {
  const { plan, attemptId } = names;
  const { address } = plan.network;
  const removed = [
    ...transferActs(names).leaves,
    ...(plan.files.length > 0 ? ['what the files replaced'] : []),
    ...(address ? ['the fence if it is there'] : []),
    'the directory of the run',
  ];
  const down = portFenceDownCommand(attemptId);
  return [
    ...(isPostCopied(plan)
      ? [
          work('both', 'let others to the port again, close the way of the memory', [
            command('source', down),
            command('destination', down),
          ]),
        ]
      : []),
    ...transferActs(names).cleanUp,
    work(
      'destination',
      `remove ${new Intl.ListFormat('en-GB').format(removed)}`,
      address ? [command('destination', liftBothCommand(fenceTable(attemptId)))] : [],
    ),
    work(
      'source',
      `${address ? 'end connections that no process has (ss -K), ' : ''}remove the rules of criu, the fence if there is one, the directory of the run${transferOf(plan) === 'transfer/shared' ? ' and the images' : ''}`,
      [command('source', removeFenceCommand(fenceTable(attemptId)))],
    ),
    work('both', 'give the locks up'),
  ];
}

export function optionsOf(names: RunNames, directory: string): ReturnType<typeof criuOptions> {
  return criuOptions(names, directory, {
    shellJob: true,
    loopbackConnections: false,
    fileLocks: true,
    ghostLimitBytes: LEAST_GHOST_LIMIT_BYTES,
  });
}

/** Whether it is told of a shell job is seen when the workload is looked at. */
export function criuLine({ shellJob }: RunNames, argv: readonly string[]): string[] {
  return argv.flatMap((word) => (word === '--shell-job' ? (shellJob === '' ? [] : [shellJob]) : [word]));
}

function host(cidr: string): string {
  return cidr.replace(/\/.*/, '');
}

function shown(text: string): string {
  const word = toWord(text);
  return typeof word === 'string' ? word : word.text;
}
