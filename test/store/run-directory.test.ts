import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { readRun } from '../../src/store/read-run.ts';
import { newRunId, RunDirectory } from '../../src/store/run-directory.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

/** The real one, until a test says what is drawn next. */
vi.mock('node:crypto', async (original) => {
  const real = await original<typeof import('node:crypto')>();
  return { ...real, randomBytes: vi.fn(real.randomBytes) };
});

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test('an id is the UTC time and some random digits: it sorts by time', () => {
  const now = new Date('2026-11-23T14:23:39.999Z');
  expect(newRunId(now)).toMatch(/^20261123-142339-[0-9a-f]{4}$/);
  expect(newRunId(now) < newRunId(new Date('2026-11-23T14:23:40Z'))).toBe(true);
  expect(new Set(Array.from({ length: 20 }, () => newRunId(now))).size).toBeGreaterThan(15);
});

test('what a run leaves is for its owner only: commands and addresses are in it', () => {
  using state = temporaryDirectory();
  const mask = process.umask(0);
  try {
    const directory = RunDirectory.create('r1', { name: 'a plan' }, {}, { XDG_STATE_HOME: state.at('new') });
    directory.keep('dump.log', 'text');
    directory.close();
    expect(directory.path).toBe(state.at('new', 'criu-flow', 'runs', 'r1'));
    expect(modeOf(directory.path)).toBe('700');
    expect(readdirSync(directory.path).toSorted()).toEqual(['dump.log', 'journal.jsonl', 'plan.json']);
    for (const name of readdirSync(directory.path)) expect(modeOf(`${directory.path}/${name}`)).toBe('600');
  } finally {
    process.umask(mask);
  }
});

test('the journal grows by one line of JSON for each record, whatever is in it', () => {
  using state = temporaryDirectory();
  const directory = RunDirectory.create('r1', { a: 1 }, {}, { XDG_STATE_HOME: state.path });
  directory.append({ kind: 'step-started', stepId: 'a\nb' }, { durable: true });
  const lines = (): string[] => readFileSync(`${directory.path}/journal.jsonl`, 'utf8').split('\n');
  // It is there at once, not when the run has ended.
  expect(lines()).toHaveLength(3);
  directory.append({ kind: 'warning', text: '\u2028"' }, { durable: false });
  directory.close();
  expect(
    lines()
      .slice(1, 3)
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    {
      sequence: 2,
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      kind: 'step-started',
      stepId: 'a\nb',
      crc32: expect.stringMatching(/^[0-9a-f]{8}$/),
    },
    expect.objectContaining({ kind: 'warning', text: '\u2028"' }),
  ]);
  expect(JSON.parse(readFileSync(`${directory.path}/plan.json`, 'utf8'))).toEqual({ a: 1 });
});

test('without XDG_STATE_HOME it is in ~/.local/state; one that is empty is none', () => {
  using home = temporaryDirectory();
  const before = process.env['HOME'];
  process.env['HOME'] = home.path;
  try {
    for (const [id, env] of [
      ['r1', {}],
      ['r2', { XDG_STATE_HOME: '' }],
    ] as const) {
      const directory = RunDirectory.create(id, {}, {}, env);
      directory.close();
      expect(directory.path).toBe(home.at('.local', 'state', 'criu-flow', 'runs', id));
    }
  } finally {
    process.env['HOME'] = before;
  }
});

test('on a full disk nothing is written by half: what comes after there is room again can be read', () => {
  using directory = temporaryDirectory();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory.path]);
  try {
    const env = { XDG_STATE_HOME: directory.path };
    const run = RunDirectory.create('20261123-142339-a1b2', { name: 'x' }, {}, env);
    const fill = directory.at('fill');
    expect(() => writeFileSync(fill, Buffer.alloc(1024 * 1024))).toThrow('ENOSPC');
    const text = 'x'.repeat(1500);
    const note = (): void => {
      for (let count = 0; count < 40; count++) run.append({ kind: 'note', text }, { durable: true });
    };
    expect(note).toThrow(
      expect.objectContaining({
        code: 'JOURNAL_FAILED',
        evidence: expect.stringMatching(/ENOSPC|bytes could be written/),
        command: expect.stringMatching(/^df \//),
      }),
    );
    expect(() => run.keep('dump.log', text.repeat(10))).toThrow(
      expect.objectContaining({ code: 'JOURNAL_FAILED' }),
    );
    rmSync(fill);
    run.append({ kind: 'note', text: 'the last' }, { durable: true });
    run.close();
    const { records } = readRun(run.path);
    expect(records.at(-1)).toMatchObject({ kind: 'note', text: 'the last' });
    expect(records.map(({ sequence }) => sequence)).toEqual(records.map((_, index) => index + 1));
  } finally {
    execFileSync('umount', ['--lazy', directory.path]);
  }
});

test('two runs never have the same directory: one that has the id of another changes nothing of it', () => {
  using state = temporaryDirectory();
  const env = { XDG_STATE_HOME: state.path };
  const first = RunDirectory.create('r1', { name: 'the first' }, {}, env);
  first.append({ kind: 'note' }, { durable: false });
  const before = ['plan.json', 'journal.jsonl'].map((name) => readFileSync(`${first.path}/${name}`, 'utf8'));
  expect(() => RunDirectory.create('r1', { name: 'another' }, {}, env)).toThrow(
    expect.objectContaining({ code: 'JOURNAL_FAILED', message: 'There is a run r1 already' }),
  );
  expect(['plan.json', 'journal.jsonl'].map((name) => readFileSync(`${first.path}/${name}`, 'utf8'))).toEqual(
    before,
  );
});

test('an id that is taken is drawn again', () => {
  using state = temporaryDirectory();
  const drawn = vi.mocked<(size: number) => Buffer>(randomBytes);
  for (const _ of ['once', 'again']) drawn.mockReturnValueOnce(Buffer.from([0xa1, 0xb2]));
  vi.useFakeTimers({ now: new Date('2026-11-23T14:23:39Z') });
  try {
    const [one, two] = ['one', 'two'].map((name) =>
      RunDirectory.createNew({ name }, {}, { XDG_STATE_HOME: state.path }),
    );
    expect(one?.runId).toBe('20261123-142339-a1b2');
    expect(two?.runId).toMatch(/^20261123-142339-/);
    expect(two?.runId).not.toBe(one?.runId);
    expect(readRun(one?.path ?? '').plan).toEqual({ name: 'one' });
  } finally {
    vi.useRealTimers();
  }
});

test('of two who take a run up in the same moment one is told that it is taken', () => {
  using state = temporaryDirectory();
  const { path } = RunDirectory.create('r1', {}, {}, { XDG_STATE_HOME: state.path });
  const run = readRun(path);
  RunDirectory.reopen(run).close();
  expect(() => RunDirectory.reopen(run)).toThrow(
    expect.objectContaining({ code: 'LOCKED', command: `criu-flow status ${path}` }),
  );
  rmSync(path, { recursive: true });
  expect(() => RunDirectory.reopen(run)).toThrow(expect.objectContaining({ code: 'JOURNAL_FAILED' }));
});
