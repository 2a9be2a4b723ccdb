import { pageServerArguments } from '../criu/arguments.ts';
import { isPostCopied, isPreCopied, type Plan, sharedDirectoryOf } from '../plan/plan.ts';
import { imagesPath, MOST_WAITING } from '../steps/direct-copy.ts';
import { imagesDirectory } from '../steps/step.ts';
import { pageServerDirectory } from '../steps/transfer-stream.ts';
import { FENCE_SCRIPT } from '../network/fence.ts';
import { portFence } from '../network/port-fence.ts';
import { directPathConfig } from '../transfer/one-run-key.ts';
import { directoryCommand, filesCommand, roundCommand } from '../transfer/rsync.ts';
import type { ImagesWanted } from '../transfer/images-wanted.ts';
import { stagedFile, stagingPath } from '../transfer/staging.ts';
import { command, type RunNames, work } from './act.ts';
import type { Act, ForecastCommand } from './forecast.ts';
import { toWord } from './word.ts';

/** Round trips of an rsync that begins. */
const RSYNC_ROUND_TRIPS = 3;

/** To list the images, to open each on both hosts, for the data, and for size, owner and mode. */
const SFTP_ROUND_TRIPS = 7;

export type Transfer = 'transfer/rsync' | 'transfer/sftp' | 'transfer/shared' | 'transfer/stream';

/** What one way to carry the images does, before the freeze, while it is frozen, and at the end. */
interface TransferActs {
  readonly prepare: (names: RunNames) => readonly Act[];
  /** What it does before the freeze once it is known how the memory moves. */
  readonly arm?: (names: RunNames) => readonly Act[];
  readonly main: (names: RunNames) => readonly Act[];
  /** Brings a round of memory over while the workload runs, where the destination does not see it anyway. */
  readonly carryRound?: (names: RunNames, round: string) => Act;
  readonly cleanUp: readonly Act[];
  /** What is removed from the destination at the end, besides what every move leaves there. */
  readonly leaves: readonly string[];
}

const CLOSE: readonly Act[] = [work('source', 'close the connection to the destination')];

const SEND = 'let the waiting copy send the images; read their digests meanwhile';

export const TRANSFER_ACTS: Readonly<Record<Transfer, TransferActs>> = {
  'transfer/rsync': {
    prepare: (names) => [
      work('destination', `make the directory of the images${directoriesOf(names)}`),
      ...openWay(names),
      ...chooseCompression(names),
    ],
    arm: (names) => [
      ...reserve(names),
      ...waitOnWay(names, isPreCopied(names.plan) ? 'without-rounds' : 'all'),
      ...(isPostCopied(names.plan) ? openMemoryWay(names) : []),
    ],
    main: (names) => send(names, SEND),
    carryRound: (names, round) => {
      const { from, to } = imagesPath(names);
      const way = { sshConfigFile: sshConfig(names), from: `${from}${round}`, to };
      return work(
        'source',
        'copy each round to the destination, compressed as was measured to be the fastest',
        [command('source', roundCommand(way, 'none'))],
      );
    },
    cleanUp: CLOSE,
    leaves: ['the key'],
  },
  'transfer/stream': {
    prepare: (names) => [
      work('destination', `make the directory of the images${directoriesOf(names)}`),
      ...openWay(names),
      work('destination', 'start the page server, which takes the memory when it is dumped', [
        command(
          'destination',
          pageServerArguments(
            { imagesDirectory: imagesDirectory(names), workDirectory: pageServerDirectory(names) },
            names.port,
          ),
        ),
      ]),
    ],
    arm: (names) => waitOnWay(names, 'without-memory'),
    main: (names) =>
      send(
        names,
        'let the waiting copy send the images without the memory, which is there; read their digests',
      ),
    cleanUp: CLOSE,
    leaves: ['the page server', 'the key'],
  },
  'transfer/sftp': {
    prepare: (names) => [
      work('destination', `make the directory of the images${directoriesOf(names)}`),
      work('source', 'connect to it by SFTP from here'),
      work('destination', 'connect to it by SFTP from here'),
      ...(names.plan.files.length > 0
        ? [work('source', 'copy the files through this machine while the workload runs')]
        : []),
    ],
    arm: reserve,
    main: ({ plan }) => [
      {
        ...work('source', 'copy the images through this machine; read their digests meanwhile'),
        roundTrips: SFTP_ROUND_TRIPS,
      },
      ...(plan.files.length > 0
        ? [
            work(
              'source',
              'meanwhile, copy what changed in the files since, and what of them it has mapped shared',
            ),
          ]
        : []),
    ],
    carryRound: () => work('source', 'copy each round through this machine'),
    cleanUp: [],
    leaves: [],
  },
  'transfer/shared': {
    prepare: ({ plan }) => [
      work(
        'source',
        `make a directory for the images in ${sharedDirectoryOf(plan) ?? ''}, and a probe in it`,
      ),
      work('destination', 'read the probe: it is the same directory'),
    ],
    main: () => [work('source', 'read the digests of the images')],
    cleanUp: [],
    leaves: [],
  },
};

/** How a plan of a move carries the images. */
export function transferOf({ steps }: Pick<Plan, 'steps'>): Transfer | undefined {
  const is = (uses: string): uses is Transfer => uses in TRANSFER_ACTS;
  for (const { uses } of steps) if (is(uses)) return uses;
  return undefined;
}

function directoriesOf({ plan }: RunNames): string {
  return plan.files.length > 0 ? ', and the directories above the files' : '';
}

function reserve({ plan }: RunNames): readonly Act[] {
  return isPreCopied(plan) || isPostCopied(plan) ? [] : [work('destination', 'make room for the images')];
}

function openWay(names: RunNames): readonly Act[] {
  const isStreamed = transferOf(names.plan) === 'transfer/stream';
  const what = isStreamed
    ? 'this transfer and the one port of the page server only,'
    : 'this transfer only and';
  return [
    work('source', 'make a key for this run (ssh-keygen)'),
    work('destination', `let it in, for ${what} for a day at most (~/.ssh/authorized_keys)`),
    ...(isStreamed
      ? [work('source', 'connect to the destination by ssh, and let a port of 127.0.0.1 lead to it')]
      : []),
    work(
      'source',
      isStreamed
        ? 'send up to 64 MiB of zeros there to warm that up'
        : 'connect to the destination by ssh, and send up to 64 MiB of zeros to warm that up',
    ),
    ...(names.plan.files.length > 0
      ? [work('source', 'copy the files while the workload runs', copyFiles(names))]
      : []),
  ];
}

function waitOnWay(names: RunNames, images: ImagesWanted): readonly Act[] {
  return [
    ...(names.plan.files.length > 0
      ? [
          work(
            'source',
            'begin an rsync of what is a directory among the files, which waits to be told',
            waitingCopies(names),
          ),
        ]
      : []),
    work('source', `begin the copy of ${IMAGES[images]}, which waits to be told`),
  ];
}

const IMAGES: Readonly<Record<ImagesWanted, string>> = {
  all: 'the images',
  'without-memory': 'the images but the memory',
  'without-rounds': 'the images but the rounds',
};

/** Where memory is to move in the pause, or before. */
function chooseCompression({ plan }: RunNames): readonly Act[] {
  if (isPostCopied(plan)) return [];
  return [
    work(
      'source',
      'where the zeros took long, send samples of its memory to see what compresses best: none, lz4, zstd',
    ),
  ];
}

function openMemoryWay({ attemptId, port }: RunNames): readonly Act[] {
  const stdin = toWord(portFence(attemptId, port).text);
  const fence = (on: 'source' | 'destination'): ForecastCommand => ({
    ...command(on, FENCE_SCRIPT.split(' ')),
    stdin,
  });
  return [
    work('both', 'choose a port of 127.0.0.1, and keep all but root from it', [
      fence('source'),
      fence('destination'),
    ]),
    work('source', 'connect to the destination once more, and let that port lead back from there'),
  ];
}

function send(names: RunNames, does: string): readonly Act[] {
  const { plan } = names;
  const images = work('source', does);
  if (plan.files.length === 0) return [{ ...images, roundTrips: 1 }];
  return [
    images,
    {
      ...work(
        'source',
        'meanwhile, let those that wait copy what changed in the directories since, and copy what is none',
        copyFiles(names).slice(MOST_WAITING),
      ),
      roundTrips: 1 + RSYNC_ROUND_TRIPS * Math.max(0, plan.files.length - MOST_WAITING),
    },
    work(
      'source',
      'look which of them it has mapped shared, and copy those again: their times may tell nothing',
    ),
  ];
}

function copyFiles(names: RunNames): readonly ForecastCommand[] {
  return pathsOf(names).map((path) => command('source', filesCommand(path)));
}

function waitingCopies(names: RunNames): readonly ForecastCommand[] {
  return pathsOf(names)
    .slice(0, MOST_WAITING)
    .map((path) => command('source', directoryCommand(path)));
}

function pathsOf(names: RunNames): readonly Parameters<typeof filesCommand>[0][] {
  const { plan, attemptId, slash } = names;
  return plan.files.map((file) => ({
    sshConfigFile: sshConfig(names),
    ...stagingPath(stagedFile(file, attemptId), slash),
  }));
}

function sshConfig({ runDirectory }: RunNames): string {
  return directPathConfig(runDirectory);
}
