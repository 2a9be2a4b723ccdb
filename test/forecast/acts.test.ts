import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { MOVE_ACTS } from '../../src/forecast/acts.ts';
import type { RunNames } from '../../src/forecast/act.ts';
import type { ForecastCommand } from '../../src/forecast/forecast.ts';
import type { Host } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import type { NetworkPlan } from '../../src/plan/plan.ts';
import { STEP_TYPES } from '../../src/steps/registry.ts';
import type { RunState, StepContext } from '../../src/steps/step.ts';
import { readWorkload } from '../../src/workload/facts.ts';
import { fakePrograms } from '../helpers/fake-programs.ts';
import { planWith } from '../helpers/plan.ts';
import { startProgram } from '../helpers/started-program.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

vi.mock('../../src/transfer/destination-access.ts', () => ({
  destinationAccess: async () => ({ hostName: 'b', port: 22, user: 'root', hostKeys: ['ssh-ed25519 AAAA'] }),
}));

/** Writes down how it is called, and its input when that says what to do. */
const record = (log: string): string =>
  `input=
case "\${0##*/} $*" in 'nft -f -') input=$(cat) ;; esac
printf '%s\\0' "\${0##*/}" "$@" "input:$input" >> '${log}'`;

/** criu as its action script knows it: one image, one action after the other, 0 when the script at the point of return says so. */
const CRIU = `
verb=$1
while [ $# -gt 0 ]; do
  case $1 in --images-dir) images=$2 ;; --work-dir) work=$2 ;; --action-script) script=$2 ;; --lazy-pages) lazy=1 ;; esac
  shift
done
if [ "$verb" = page-server ]; then
  printf '\\0' >&3
  until [ -f "$images/inventory.img" ]; do sleep 0.05; done
  echo memory > "$images/pages-1.img"
  exit
fi
# It has fetched all when the workload was let go.
if [ "$verb" = lazy-pages ]; then
  printf '\\0' >&5
  until [ -f "$work/resuming" ]; do sleep 0.05; done
  exit
fi
act() { CRTOOLS_IMAGE_DIR=$images CRTOOLS_SCRIPT_ACTION=$1 "$script" <&-; }
if [ "$verb" = dump ]; then
  act pre-dump || exit 1
  echo image > "$images/inventory.img"
  act post-dump || exit 255
  [ -n "$lazy" ] || exit 0
  printf '\\0' >&5
  until [ -f "$work/../restore/fetched" ]; do sleep 0.05; done
else
  act post-restore || exit 255
  act pre-resume
  act post-resume
fi`;

/** Copies what is no image: that is on the other host already, which is the same machine here. */
const RSYNC = `
cat > /dev/null
for argument; do from=$to to=$argument; done
case $to in */images/ | */zeros) ;; *) cp -rT "$from" "\${to#destination:}" ;; esac`;

interface Issued {
  readonly argv: readonly string[];
  readonly input: string;
}

function readLog(log: string): readonly Issued[] {
  const issued: Issued[] = [];
  let argv: string[] = [];
  for (const word of existsSync(log) ? readFileSync(log, 'utf8').split('\0') : []) {
    if (!word.startsWith('input:')) {
      argv.push(word);
      continue;
    }
    issued.push({ argv, input: word.slice('input:'.length) });
    argv = [];
  }
  // What only looks, and the zeros that warm a connection up, are told in words.
  return issued.filter(
    ({ argv: each }) => each[1] !== 'list' && each.every((word) => !word.endsWith('/zeros')),
  );
}

const sorted = (commands: readonly Issued[]): readonly string[] =>
  commands.map((each) => JSON.stringify(each)).toSorted();

type Transfer = 'transfer/rsync' | 'transfer/stream';

const cases: readonly (readonly [string, NetworkPlan, boolean, boolean, Transfer, isPostCopied: boolean])[] =
  [
    ['a process of another session', { connections: 'refuse' }, false, true, 'transfer/rsync', false],
    ['one whose memory is fetched', { connections: 'refuse' }, false, false, 'transfer/rsync', true],
    ['one whose memory is streamed', { connections: 'refuse' }, true, false, 'transfer/stream', false],
    [
      'a service with its connections and files',
      { connections: 'keep', address: { cidr: '10.0.0.9/24', device: 'eth0' } },
      true,
      false,
      'transfer/rsync',
      false,
    ],
    [
      'a service by IPv6 that loses its connections',
      { connections: 'close', address: { cidr: 'fd00::9/64', device: 'dummy0' } },
      false,
      false,
      'transfer/rsync',
      false,
    ],
  ];

/**
 * Everything but criu, rsync, ssh and what changes the network is real here, and so is what the steps tell them: each program
 * writes down how it was called.
 */
test.each(cases)(
  'what is planned is what the steps of the move issue: %s',
  { timeout: 60_000 },
  async (_, network, hasFiles, shellJob, transfer, isPostCopied) => {
    using directory = temporaryDirectory();
    await using workload = await startProgram('cat');
    const log = directory.at('log');
    const write = record(log);
    using fakes = fakePrograms({
      criu: `${write}\n${CRIU}`,
      rsync: `${write}\n${RSYNC}`,
      ...Object.fromEntries(['ip', 'nft', 'arping'].map((name) => [name, write])),
      ss: ':',
      ssh: ':',
      'ssh-keygen': ": > key; echo 'ssh-ed25519 AAAA criu-flow' > key.pub",
    });
    mkdirSync(directory.at('home'));
    // Its own home: the key is let in there.
    const host: Host = {
      ...fakes.host,
      run: (argv, options) => fakes.host.run(['env', `HOME=${directory.at('home')}`, ...argv], options),
    };
    mkdirSync(directory.at('srv'));
    writeFileSync(directory.at('srv', 'data'), 'data\n');
    const plan = planWith({
      source: 'local',
      destination: 'local',
      network,
      files: hasFiles ? [{ path: directory.at('srv') }] : [],
      workload: { kind: 'pid', pid: workload.pid },
      steps: [
        {
          id: '3-transfer',
          uses: transfer,
          title: 'x',
          rollback: [],
          directory: directory.at('srv'),
        } as never,
        ...(isPostCopied ? [{ id: 'post-copy', uses: 'post-copy', title: 'x', rollback: [] } as const] : []),
      ],
    });
    const facts = await readWorkload(new LocalHost(), workload.pid);
    const processes = facts.processes.map((each) => ({ ...each, session: shellJob ? 1 : each.pid }));
    const state: RunState = { committed: false, restoreBegan: false, workload: { ...facts, processes } };
    const context = {
      ...{ plan, attemptId: 'test-1', source: host, destination: host, local: host },
      ...{ runDirectory: directory.at('runs', 'test-1'), keepImages: false, state },
      signal: new AbortController().signal,
      ...Object.fromEntries(
        ['detail', 'progress', 'warn', 'phase', 'remember', 'keep'].map((name) => [name, () => undefined]),
      ),
    } as unknown as StepContext;
    const names: RunNames = {
      ...{ plan, attemptId: 'test-1', runDirectory: context.runDirectory },
      ...{ pid: String(workload.pid), shellJob: shellJob ? '--shell-job' : '', slash: '/', port: '' },
    };

    let seen = 0;
    const expectIssued = async (step: keyof typeof MOVE_ACTS): Promise<void> => {
      const planned = MOVE_ACTS[step](names).flatMap((act) => (act.kind === 'work' ? act.commands : []));
      const wanted = sorted(planned.map(toIssued));
      // What announces the address, or waits for images, begins beside the rest.
      await expect.poll(() => sorted(readLog(log).slice(seen)), { timeout: 10_000 }).toEqual(wanted);
      seen += wanted.length;
    };
    const step = {} as never;
    for (const uses of ['dump', transfer, 'restore'] as const) {
      await STEP_TYPES[uses].prepare?.run(context, step);
      // It was chosen before: on one machine the tunnel would take it from the page server.
      Object.assign(names, { port: String(state.pageServerPort ?? '') });
    }
    for (const uses of ['dump', transfer, 'restore'] as const) await STEP_TYPES[uses].arm?.(context);
    await expectIssued('prepare');
    await STEP_TYPES.dump.main.run(context, step);
    await expectIssued('dump');
    await STEP_TYPES[transfer].main.run(context, step);
    const dumped = (await state.dumpedImages) ?? '';
    // One machine has one directory, and a source has no memory that was streamed.
    if (transfer === 'transfer/stream')
      state.dumpedImages = Promise.resolve(dumped.replace(/^.*pages-1.*\n/m, ''));
    await expectIssued(transfer);
    // Source and destination are one machine here, on which the pids of the workload are taken.
    state.workload = { ...facts, rootPid: 99_999_999, processes: [] };
    state.frozenTasks = [];
    await STEP_TYPES.restore.main.run(context, step);
    await expectIssued('restore');
    await STEP_TYPES.commit.main.run(context, step);
    await expectIssued('commit');
    if (isPostCopied) {
      // It must be seen alive.
      state.workload = { ...state.workload, rootPid: process.pid };
      await STEP_TYPES['post-copy'].main.run(context, step);
      await expectIssued('post-copy');
    }
    const cleaned = ['restore', transfer, 'dump'] as const;
    for (const uses of isPostCopied ? (['post-copy', ...cleaned] as const) : cleaned) {
      for (const { run } of STEP_TYPES[uses].cleanUps ?? []) await run(context);
    }
    await expectIssued('clean-up');
    expect(existsSync(context.runDirectory)).toBe(false);
  },
);

function toIssued({ argv, stdin }: ForecastCommand): Issued {
  const texts = argv.map((word) => {
    if (typeof word !== 'string') throw new Error(`not known: ${word.text}`);
    return word;
  });
  return { argv: texts, input: typeof stdin === 'string' ? stdin : '' };
}
