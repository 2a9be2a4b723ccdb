import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FailureData, FlowEvent, RunSummary } from '../../src/events/event.ts';
import { type Controller, thisController } from '../../src/lock/controller.ts';
import { formatLine } from '../../src/store/journal-format.ts';
import { RunDirectory } from '../../src/store/run-directory.ts';
import { main, runCli } from '../helpers/cli.ts';
import { startProgram } from '../helpers/started-program.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

let state: TemporaryDirectory;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  state = temporaryDirectory();
  env = { XDG_STATE_HOME: state.path, TZ: 'UTC' };
});
afterEach(() => state[Symbol.dispose]());

const runs = (...args: readonly string[]) => runCli(['runs', ...args], { env });
const pathOf = (id: string): string => state.at('criu-flow', 'runs', id);

const PLAN = { name: 'Move it', source: 'root@a', destination: 'root@b' };
const DEAD: Controller = { ...thisController(), user: 'eve', pid: 7, startTicks: 1 };
const ELSEWHERE: Controller = { ...DEAD, machine: 'another', bootId: 'another' };
const FAILURE: FailureData = {
  code: 'DUMP_FAILED',
  message: 'criu dump on root@a ended with exit code 1',
  host: 'root@a',
  evidence: 'Error (criu/a.c:1): no',
  hint: 'Do this.',
  command: 'ssh root@a id',
};

const attempt = (controller: unknown = DEAD, goal = 'run') => ({
  kind: 'attempt',
  goal,
  epoch: 1,
  controller,
});
const started: FlowEvent = {
  kind: 'run-started',
  runId: 'r1',
  runKind: 'move',
  recipe: PLAN.name,
  source: PLAN.source,
  destination: PLAN.destination,
  steps: [{ id: '2-dump', uses: 'dump', title: 'Freeze it' }],
};
const finished = (summary: Partial<RunSummary> = {}): FlowEvent => ({
  kind: 'run-finished',
  summary: {
    runId: 'r1',
    kind: 'move',
    outcome: 'done',
    exitCode: 0,
    workloadIsOn: 'destination',
    source: PLAN.source,
    destination: PLAN.destination,
    phasesMs: {},
    durationMs: 1234,
    undoFailures: [],
    warnings: [],
    runDirectory: '/r',
    ...summary,
  },
});
const ROLLED_BACK = finished({
  outcome: 'rolled-back',
  workloadIsOn: 'source',
  exitCode: 5,
  failure: FAILURE,
});

type Entry = { readonly kind: string };

function create(id: string, ...records: readonly Entry[]): RunDirectory {
  const directory = RunDirectory.create(id, PLAN, { sshConfigFile: '/a b' }, { XDG_STATE_HOME: state.path });
  for (const record of records) directory.append(record, { durable: false });
  return directory;
}

function write(id: string, ...records: readonly Entry[]): void {
  create(id, ...records).close();
}

/** A run whose records have these times. */
function writeAt(id: string, at: (index: number) => Date, ...records: readonly Entry[]): void {
  write(id);
  const all: Entry[] = [{ kind: 'journal', version: 1 } as Entry, ...records];
  writeFileSync(
    `${pathOf(id)}/journal.jsonl`,
    all
      .map((record, index) => formatLine({ sequence: index + 1, at: at(index).toISOString(), ...record }))
      .join(''),
  );
}

const damage = (id: string): void => appendFileSync(`${pathOf(id)}/journal.jsonl`, '{"sequence":9}\n');

/** Everything that could steer a terminal, but the line feed. */
// oxlint-disable-next-line no-control-regex -- it is what is looked for
const STEERING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/;
const HOSTILE = 'sh -c \u001b[2J\u001b]0;title\u0007\u009b31m\r\nfake: done\u202e\u0000';

describe('runs', () => {
  test('nothing was ever run', async () => {
    env['XDG_STATE_HOME'] = state.at('none');
    expect(await runs()).toEqual({
      exitCode: 0,
      stdout: 'no runs yet: criu-flow run --help says how to begin one\n',
      stderr: '',
    });
    expect(await runs('--json')).toEqual({ exitCode: 0, stdout: '[]\n', stderr: '' });
    expect((await runs('prune')).stdout).toBe('removed 0 runs that ended more than 30d ago, 0 B\n');
    expect(existsSync(state.at('none'))).toBe(false);
  });

  test('one line a run, the newest first, and what to do about those that need somebody', async () => {
    const cases: readonly (readonly [id: string, ...records: Entry[]])[] = [
      ['r1', attempt(), finished()],
      ['r2', attempt(), ROLLED_BACK],
      ['r3', attempt(), finished({ outcome: 'rollback-incomplete', workloadIsOn: 'nowhere' })],
      ['r4', attempt(), started],
      ['r5', attempt(thisController()), started],
      ['r6', attempt(ELSEWHERE), started],
      ['r7', attempt(), { kind: 'run-finished', summary: { outcome: 'evaporated' } } as Entry],
      ['r8', attempt(), finished()],
      ['r9', attempt(), finished()],
    ];
    for (const [index, [id, ...records]] of cases.entries()) {
      writeAt(id, () => new Date(Date.UTC(2026, 10, 23, 3, 0, index)), ...records);
    }
    damage('r8');
    writeFileSync(`${pathOf('r9')}/journal.jsonl`, '{"kind":"run-started","at":"2026-11-23"}\n');
    // Without a time in the journal or the id it is the last.
    expect(await runs()).toEqual({
      exitCode: 0,
      stderr: '',
      stdout: [
        'run  began                recipe   from    to      ended               left the workload',
        'r8   2026-11-23 03:00:07  Move it  root@a  root@b  journal damaged     not known',
        'r7   2026-11-23 03:00:06  Move it  root@a  root@b  evaporated          not known',
        'r6   2026-11-23 03:00:05  Move it  root@a  root@b  no end yet          not known',
        'r5   2026-11-23 03:00:04  Move it  root@a  root@b  at work             not known',
        'r4   2026-11-23 03:00:03  Move it  root@a  root@b  NO END              not known',
        'r3   2026-11-23 03:00:02  Move it  root@a  root@b  A PERSON IS NEEDED  NOWHERE',
        'r2   2026-11-23 03:00:01  Move it  root@a  root@b  rolled back         on root@a',
        'r1   2026-11-23 03:00:00  Move it  root@a  root@b  moved               on root@b',
        'r9   ?                    Move it  root@a  root@b  unknown version     not known',
        '',
        'Not over: this says where the workload is alive, and what to do next:',
        '  criu-flow status r7',
        '  criu-flow status r6',
        '  criu-flow status r4',
        '  criu-flow status r3',
        '',
        'Damaged: this shows what is left, and where the damage is:',
        '  criu-flow runs show r8',
        '',
      ].join('\n'),
    });
    const list = JSON.parse((await runs('--json')).stdout) as { id: string; state: string }[];
    expect(list.map((run) => [run.id, run.state])).toEqual([
      ['r8', 'damaged'],
      ['r7', 'ended'],
      ['r6', 'no-end-yet'],
      ['r5', 'at-work'],
      ['r4', 'no-end'],
      ['r3', 'ended'],
      ['r2', 'ended'],
      ['r1', 'ended'],
      ['r9', 'unknown-version'],
    ]);
    expect(list[0]).toMatchObject({
      damage: { code: 'JOURNAL_CORRUPT', message: expect.stringMatching(/Line 4/) },
    });
    expect(list[6]).toMatchObject({
      recipe: 'Move it',
      source: 'root@a',
      destination: 'root@b',
      beganAt: '2026-11-23T03:00:01.000Z',
      endedAt: '2026-11-23T03:00:01.000Z',
      isOver: true,
      outcome: 'rolled-back',
      workloadIsOn: 'source',
      exitCode: 5,
    });
  });
});

describe('runs show', () => {
  test('what happened, step by step, as it was shown then', async () => {
    writeAt(
      'r1',
      (index) => new Date(Date.UTC(2026, 10, 23, 3) + 250 * index),
      attempt(),
      started,
      {
        kind: 'workload',
        workload: { processes: [{ pid: 42, command: 'serve' }, { pid: 43 }, {}] },
      } as Entry,
      { kind: 'step-started', stepId: '2-dump' } as Entry,
      { kind: 'warning', text: 'slow' } as Entry,
      { kind: 'approval', by: 'eve', sequence2: [1] } as Entry,
      { kind: 'step-finished', stepId: '2-dump', durationMs: 500, result: { status: 'skipped' } } as Entry,
      {
        kind: 'step-finished',
        stepId: '2-dump',
        durationMs: 750,
        result: { status: 'failed', failure: FAILURE },
      } as Entry,
      { kind: 'rollback-started', reason: FAILURE, actions: ['let it run on'] } as Entry,
      { kind: 'undo-started', action: 'let it run on' } as Entry,
      { kind: 'undo-finished', action: 'let it run on', durationMs: 20 } as Entry,
      ROLLED_BACK,
    );
    expect(await runs('show', 'r1')).toEqual({
      exitCode: 0,
      stderr: '',
      stdout: `attempt 1: run, 2026-11-23 03:00:00, by eve on ${hostname()}, pid 7
[  0.00s] run r1: Move it, from root@a to root@b
[  0.25s] workload: serve (pid 42) and 2 more processes
[  0.50s] dump: Freeze it
[  0.75s] warning: slow
[  1.00s] approval: {"by":"eve","sequence2":[1]}
[  1.25s] dump: skipped
[  1.50s] dump: failed after 750 ms: DUMP_FAILED: criu dump on root@a ended with exit code 1
[  1.75s] rolling back, 1 undo: DUMP_FAILED: criu dump on root@a ended with exit code 1
[  2.00s] undo: let it run on
[  2.25s] undo: let it run on: done in 20 ms

Failed and rolled back: the workload runs on root@a (the source).

  took  1.2 s

error DUMP_FAILED: criu dump on root@a ended with exit code 1
  host: root@a   step: Freeze it
  criu says: Error (criu/a.c:1): no
  do: Do this.
  run: ssh root@a id

run directory: /r
`,
    });
    const json = JSON.parse((await runs('show', 'r1', '--json')).stdout) as {
      journals: { records: unknown[] }[];
    };
    expect(json).toMatchObject({ id: 'r1', state: 'ended', outcome: 'rolled-back' });
    expect(json.journals[0]?.records).toHaveLength(13);
    expect(await runs('--json', 'show', 'r1')).toEqual(await runs('show', '--json', 'r1'));
  });

  test('without an end: what to do next', async () => {
    write('r1', attempt(), started);
    expect((await runs('show', 'r1')).stdout).toContain(
      `\nThis run has NO END: its controller (eve on ${hostname()}, pid 7) is gone.\nWhere the workload is alive, and what to do next:\n  criu-flow status r1\n`,
    );
    write('r2', attempt(ELSEWHERE), started);
    expect((await runs('show', 'r2')).stdout).toContain('(eve on another, pid 7) cannot be seen from here');
    write('r3', attempt(thisController()), started);
    expect((await runs('show', 'r3')).stdout).toContain('To follow it:\n  criu-flow runs tail r3\n');
    // A run directory that somebody sent is no run of this user.
    env['XDG_STATE_HOME'] = state.at('none');
    expect((await runs('show', pathOf('r1'))).stdout).toContain(`criu-flow status ${pathOf('r1')}\n`);
  });

  test('a damaged journal: what is whole, then what is wrong; 4', async () => {
    write('r1', attempt(), started);
    damage('r1');
    const { exitCode, stdout, stderr } = await runs('show', 'r1');
    expect(stdout).toMatch(/^attempt 1: run.*\n\[ {2}0\.00s\] run r1: Move it, from root@a to root@b\n$/);
    expect(stderr).toBe(
      `error JOURNAL_CORRUPT: Line 4 of ${pathOf('r1')}/journal.jsonl is damaged
  do: What came after it is not known, so nothing is guessed. Look at both hosts.
  run: criu-flow locks --ssh-config '/a b' -- root@a root@b
`,
    );
    expect(exitCode).toBe(4);
    const json = await runs('show', 'r1', '--json');
    expect(json).toMatchObject({ exitCode: 4, stderr });
    expect(JSON.parse(json.stdout)).toMatchObject({
      state: 'damaged',
      journals: [{ records: { length: 3 } }],
    });
  });

  test('a version that is not known: where the text is; 4', async () => {
    write('r1');
    writeFileSync(`${pathOf('r1')}/journal.jsonl`, '{"kind":"run-started","at":"2026-11-23"}\n');
    const { exitCode, stdout, stderr } = await runs('show', 'r1');
    expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: '' });
    expect(stderr).toContain('was written by a criu-flow from before journals had a version');
    expect(stderr).toContain(`run: less -- ${pathOf('r1')}/journal.jsonl\n`);
  });

  test('a run that is not there, and one of several', async () => {
    expect(await runs('show', 'r1')).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringMatching(/There is no run "r1"/),
    });
    write('r1');
    write('r2');
    expect(await runs('show', 'r')).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringMatching(/details:\n {4}r1\n {4}r2\n/),
    });
  });

  test('thousands of records', async () => {
    const warnings = Array.from({ length: 5000 }, (_, count) => ({
      kind: 'warning',
      text: `warning ${count}`,
    }));
    write('r1', attempt(), started, ...warnings, finished());
    const { exitCode, stdout } = await runs('show', 'r1');
    expect(stdout.match(/warning: warning \d+\n/g)).toHaveLength(5000);
    expect(exitCode).toBe(0);
  });
});

test('nothing that a journal, a plan or a name says steers the terminal, or fakes a line', async () => {
  const failure = {
    ...FAILURE,
    code: HOSTILE,
    message: HOSTILE,
    evidence: HOSTILE,
    hint: HOSTILE,
    command: HOSTILE,
  };
  const bad = (fields: object): Entry => ({ kind: 'x', ...fields });
  const id = '\u001b[31mr1';
  const directory = RunDirectory.create(
    id,
    { name: HOSTILE, source: HOSTILE, destination: HOSTILE },
    { sshConfigFile: HOSTILE },
    { XDG_STATE_HOME: state.path },
  );
  const records = [
    attempt({ ...DEAD, user: HOSTILE, machine: HOSTILE }, HOSTILE),
    {
      ...started,
      recipe: HOSTILE,
      source: HOSTILE,
      steps: [{ id: '1', uses: HOSTILE, title: HOSTILE }],
    } as Entry,
    bad({ kind: 'workload', workload: { processes: [{ pid: HOSTILE, command: HOSTILE }] } }),
    bad({ kind: 'workload', workload: HOSTILE }),
    bad({ kind: 'phase-started', phase: HOSTILE }),
    bad({ kind: 'step-started', stepId: '1' }),
    bad({ kind: 'step-finished', stepId: '1', durationMs: HOSTILE, result: { status: 'failed', failure } }),
    bad({ kind: 'step-finished', stepId: '1' }),
    bad({ kind: HOSTILE, [HOSTILE]: [HOSTILE] }),
    bad({ kind: '__proto__', at: HOSTILE }),
    bad({ kind: 'rollback-started', reason: failure, actions: [HOSTILE] }),
    bad({ kind: 'undo-finished', action: HOSTILE, durationMs: 1, failure }),
    finished({
      outcome: 'rollback-incomplete',
      failure: failure as FailureData,
      warnings: [HOSTILE],
      workload: { pid: HOSTILE as unknown as number, command: HOSTILE, processes: 1 },
    }),
  ];
  for (const record of records) directory.append(record, { durable: false });
  directory.close();
  write('r2', attempt(), bad({ kind: 'run-finished', summary: { outcome: HOSTILE, workloadIsOn: HOSTILE } }));
  write('r3', attempt({ ...DEAD, user: HOSTILE }));
  for (const args of [
    [],
    ['--json'],
    ['show', id],
    ['show', id, '--json'],
    ['tail', id],
    ['show', 'r2'],
    ['show', 'r3'],
  ]) {
    const { stdout, stderr } = await runs(...args);
    expect(stdout).not.toMatch(STEERING);
    expect(stdout).not.toMatch(/^fake/m);
    expect(stdout.length).toBeGreaterThan(100);
    expect(stderr).toBe('');
  }
  damage(id);
  const { stderr } = await runs('show', id);
  expect(stderr).not.toMatch(STEERING);
  expect(stderr).toContain('JOURNAL_CORRUPT');
});

describe('runs tail', () => {
  test('shows what is written as it is written, until the end', async () => {
    const directory = create('r1', attempt(thisController()), started);
    let count = 0;
    const { exitCode, stdout, stderr } = await runCli(['runs', 'tail', 'r1'], {
      env,
      // Each line that is seen is answered by the next record.
      onStdout: () => {
        count += 1;
        if (count <= 10) directory.append({ kind: 'warning', text: `seen ${count}` }, { durable: false });
        else if (count === 11) directory.append(finished(), { durable: false });
      },
    });
    directory.close();
    expect(stdout).toMatch(/^attempt 1: run.*\n\[ {2}0\.00s\] run r1: /);
    expect(stdout.match(/warning: seen \d+\n/g)).toHaveLength(10);
    expect(stdout).toContain('\nMoved: the workload runs on root@b (the destination).\n');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  });

  test('says so when the controller ends without an end; 6', async () => {
    await using program = await startProgram('cat');
    const stat = readFileSync(`/proc/${program.pid}/stat`, 'utf8');
    const startTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    write('r1', attempt({ ...thisController(), pid: program.pid, startTicks }), started);
    const { exitCode, stdout } = await runCli(['runs', 'tail', 'r1'], {
      env,
      onStdout: () => void program.kill(),
    });
    expect(stdout).toContain(`pid ${program.pid}) is gone.\n`);
    expect(stdout).toMatch(/ {2}criu-flow status r1\n$/);
    expect(exitCode).toBe(6);
  });

  test('^C ends it quietly', async () => {
    write('r1', attempt(thisController()), started);
    const child = spawn(process.execPath, [main, 'runs', 'tail', 'r1'], { env: { ...process.env, ...env } });
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += String(text)));
    child.stdout.once('data', () => child.kill('SIGINT'));
    expect(await once(child, 'close')).toEqual([null, 'SIGINT']);
    expect(stderr).toBe('');
  });

  test('ends when its reader has gone', async () => {
    const directory = create('r1', attempt(thisController()), started);
    const child = spawn(process.execPath, [main, 'runs', 'tail', 'r1'], { env: { ...process.env, ...env } });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    directory.append({ kind: 'warning', text: 'nobody sees it' }, { durable: false });
    expect(await once(child, 'close')).toEqual([0, null]);
    directory.close();
  });

  test('a journal that is damaged; 4', async () => {
    write('r1', attempt(thisController()), started);
    damage('r1');
    const { exitCode, stdout, stderr } = await runs('tail', 'r1');
    expect(stdout).toContain('run r1: Move it');
    expect(stderr).toContain('error JOURNAL_CORRUPT: Line 4 of ');
    expect(exitCode).toBe(4);
  });
});

describe('runs prune', () => {
  const daysAgo = (days: number) => () => new Date(Date.now() - days * 86_400_000);
  const left = (): string[] => readdirSync(state.at('criu-flow', 'runs')).toSorted();
  beforeEach(() => {
    writeAt('old', daysAgo(31), attempt(), finished());
    writeAt('young', daysAgo(29), attempt(), ROLLED_BACK);
    writeAt('old-open', daysAgo(99), attempt(), started);
    writeAt('old-needy', daysAgo(99), attempt(), finished({ outcome: 'rollback-incomplete' }));
    writeAt('old-damaged', daysAgo(99), attempt(), finished());
    damage('old-damaged');
  });
  const ALL = ['old', 'old-damaged', 'old-needy', 'old-open', 'young'];

  test('removes those that are over for 30 days, and says which, how much, and what it kept', async () => {
    const kept =
      'kept 3 runs that came to no end, need a person or cannot be read: criu-flow runs lists them\n';
    const would = await runs('prune', '--dry-run');
    expect(would.stdout).toMatch(
      /^would remove old {2}\S+ \S+ {2}moved {2}\d+ B\nwould remove 1 run that ended/,
    );
    expect(left()).toEqual(ALL);
    const { exitCode, stdout } = await runs('prune');
    expect(stdout).toBe(would.stdout.replaceAll('would remove', 'removed'));
    expect(stdout).toMatch(/removed 1 run that ended more than 30d ago, \d+ B\n/);
    expect(stdout.endsWith(kept)).toBe(true);
    expect(exitCode).toBe(0);
    expect(left()).toEqual(ALL.slice(1));
  });

  test('--older-than says since when', async () => {
    expect((await runs('prune', '--older-than', '750h')).exitCode).toBe(0);
    expect(left()).toEqual(ALL);
    expect((await runs('prune', '--older-than', '0d')).exitCode).toBe(0);
    expect(left()).toEqual(['old-damaged', 'old-needy', 'old-open']);
  });

  test('a run that is named goes whatever its age; one without an end only with --force', async () => {
    for (const name of ['old-open', 'old-needy', 'old-damaged']) {
      expect(await runs('prune', 'young', name)).toMatchObject({
        exitCode: 2,
        stdout: '',
        stderr: expect.stringMatching(/nothing was removed\n(.*\n)*.*criu-flow status old-/),
      });
    }
    expect(left()).toEqual(ALL);
    const { exitCode, stdout } = await runs('prune', 'young', 'open', '--force');
    expect(stdout).toMatch(/\nremoved 2 runs, [\d.]+ \S+\n$/);
    expect(exitCode).toBe(0);
    expect(left()).toEqual(['old', 'old-damaged', 'old-needy']);
  });

  test('never one that is at work', async () => {
    write('at-work', attempt(thisController()), started);
    expect(await runs('prune', 'at-work', 'old', '--force')).toMatchObject({
      exitCode: 8,
      stdout: '',
      stderr: expect.stringMatching(/error LOCKED: Run at-work is still at work/),
    });
    expect(left()).toEqual(['at-work', ...ALL]);
  });

  test.each([
    [['prune', '--force'], /--force is for runs that are named/],
    [['prune', 'old', '--older-than', '1d'], /Name runs, or say with --older-than/],
    [['prune', '--older-than', '1y'], /"1y" is no age such as 30d/],
    [['prune', '--older-than', '-1d'], /"-1d" is no age|argument missing/],
    [['prune', ''], /There is no run ""/],
    [['prune', '../runs/old'], /is no id of a run/],
    [['prune', 'old', 'nowhere'], /There is no run "nowhere"/],
  ])('%j is a mistake, and removes nothing', async (args, message) => {
    expect(await runs(...args)).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringMatching(message),
    });
    expect(left()).toEqual(ALL);
  });
});

test.each(['', 'show', 'tail', 'prune'])('criu-flow runs %s --help has an example', async (command) => {
  const { exitCode, stdout } = await runs(...command.split(' ').filter(Boolean), '--help');
  expect(stdout).toMatch(/^ {2}criu-flow runs/m);
  expect(exitCode).toBe(0);
});
