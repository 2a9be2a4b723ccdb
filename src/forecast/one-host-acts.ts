import { seriesDirectory } from '../checkpoint/store.ts';
import { dumpArguments, restoreArguments } from '../criu/arguments.ts';
import { actionScriptOf } from '../criu/hold.ts';
import { actingSteps, type Plan } from '../plan/plan.ts';
import { dumpHold, restoreHold } from '../steps/criu-options.ts';
import { describeSelector } from '../workload/find.ts';
import { command, mark, work } from './act.ts';
import { type ActsOf, allowedActs, criuLine, optionsOf } from './acts.ts';

/** What the steps of a checkpoint do, on the one host that it has. */
export const CHECKPOINT_ACTS: ActsOf = {
  lock: ({ plan }) => [
    work('source', `find the ${describeSelector(plan.workload)}`),
    work('source', 'take its process ids, in /var/lib/criu-flow/locks, so that no other run can have it'),
  ],
  preflight: ({ plan }) => [
    work('source', 'look for the tools, root, and a criu that works on the kernel (criu check)'),
    work('source', 'look at the processes, their files and their connections'),
    ...allowedActs(plan),
  ],
  prepare: ({ plan }) => [
    work('source', 'make the directory of the images, and a process that waits to become criu'),
    ...(plan.files.length > 0
      ? [work('source', 'copy the files into the directory of the run while the workload runs')]
      : []),
  ],
  dump: (names) => {
    const directory = dumpHold(names.runDirectory);
    const options = { ...optionsOf(names, directory), actionScript: actionScriptOf(directory) };
    return [
      work('source', 'touch as much memory as the workload has, and see that it is the same process'),
      mark('freeze'),
      {
        ...work('source', 'freeze it, write its images, and hold it', [
          command('source', criuLine(names, dumpArguments(names.pid, options))),
        ]),
        roundTrips: 1,
      },
    ];
  },
  checkpoint: ({ plan }) => {
    const { files } = plan;
    return [
      ...(files.length > 0
        ? [
            { ...work('source', 'copy what changed in the files since'), roundTrips: files.length },
            work(
              'source',
              'look which of them it has mapped shared, and copy those again: their times may tell nothing',
            ),
          ]
        : []),
      { ...work('source', 'let criu go: the workload runs on'), roundTrips: 1 },
      mark('runs-again'),
      work('source', 'read the digests of the images, and see that they are on the disk'),
      work('source', keeps(plan)),
    ];
  },
  'clean-up': () => [work('source', 'remove the directory of the run, and give the lock up')],
};

/** What the steps of a restore do, on the one host that it has. */
export const RESTORE_ACTS: ActsOf = {
  lock: ({ plan }) => [
    work('destination', `read the ${describeSelector(plan.workload)}`),
    work(
      'destination',
      'take its process ids, in /var/lib/criu-flow/locks, so that no other run can have them',
    ),
  ],
  preflight: ({ plan }) => [
    work('destination', 'look for the tools, root, and a criu that works on the kernel (criu check)'),
    work('destination', 'see that the workload does not run, and that pids, files and room fit'),
    ...allowedActs(plan),
  ],
  prepare: ({ plan }) => [
    ...(plan.files.length > 0
      ? [work('destination', 'copy the files of the checkpoint beside their places')]
      : []),
    work('destination', 'link the images of the checkpoint into the directory of the run'),
    work('destination', 'make a process that waits to become criu'),
  ],
  'transfer/checkpoint': () => [],
  restore: (names) => {
    const directory = restoreHold(names.runDirectory);
    const options = { ...optionsOf(names, directory), actionScript: actionScriptOf(directory) };
    const files = names.plan.files.length > 0 ? ', put the files into their place' : '';
    return [
      work('destination', `see that the pids are free${files}; rebuild it, and hold it before it runs`, [
        command('destination', criuLine(names, restoreArguments(options))),
      ]),
      work('destination', 'compare the digests of the images with those that were kept'),
    ];
  },
  commit: () => [
    mark('commit-point'),
    work('destination', 'let criu go: the workload runs'),
    mark('runs-again'),
  ],
  'clean-up': () => [
    work('destination', 'remove what the files replaced, and the directory of the run; give the lock up'),
  ],
};

function keeps(plan: Plan): string {
  const step = actingSteps(plan.steps).find(({ uses }) => uses === 'checkpoint');
  if (step?.uses !== 'checkpoint') throw new Error('a checkpoint has its step');
  const { series, keep, maxAgeMs } = step;
  const old = maxAgeMs === undefined ? '' : `, and those before that are older than ${maxAgeMs / 1000} s`;
  return `keep it in ${seriesDirectory(series)}; remove all but the last ${keep}${old}`;
}
