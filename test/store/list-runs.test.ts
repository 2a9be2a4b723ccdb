import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatLine, type JournalRecord } from '../../src/store/journal-format.ts';
import { findRun, followRun, listRuns, scanRun } from '../../src/store/list-runs.ts';
import { readRun } from '../../src/store/read-run.ts';
import { RunDirectory } from '../../src/store/run-directory.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

let state: TemporaryDirectory;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  state = temporaryDirectory();
  env = { XDG_STATE_HOME: state.path };
});
afterEach(() => state[Symbol.dispose]());

const PLAN = { name: 'Move it', source: 'root@a', destination: 'root@b' };
const pathOf = (id: string): string => state.at('criu-flow', 'runs', id);
const create = (id: string): RunDirectory => RunDirectory.create(id, PLAN, {}, env);
const attempt = (goal: string, pid = 1) => ({ kind: 'attempt', goal, epoch: 1, controller: { pid } });
const finished = (outcome: string, workloadIsOn: string) => ({
  kind: 'run-finished',
  summary: { outcome, workloadIsOn, exitCode: 5 },
});

function write(id: string, ...records: readonly { readonly kind: string }[]): RunDirectory {
  const directory = create(id);
  for (const record of records) directory.append(record, { durable: false });
  directory.close();
  return directory;
}

describe('listRuns', () => {
  test('nothing was ever run', () => {
    expect(listRuns(env)).toEqual([]);
    expect(listRuns({ XDG_STATE_HOME: state.at('none') })).toEqual([]);
  });

  test('the newest is the first; what is no run is left out', () => {
    for (const id of ['20260101-000000-aaaa', '20260101-000001-aaaa']) {
      write(id);
      // By the controller's clock, which the id repeats: without a journal the id tells.
      rmSync(`${pathOf(id)}/journal.jsonl`);
    }
    write('20261123-142339-a1b2');
    mkdirSync(pathOf('.removed-x'));
    writeFileSync(pathOf('a-file'), '');
    expect(listRuns(env).map(({ id }) => id)).toEqual([
      '20261123-142339-a1b2',
      '20260101-000001-aaaa',
      '20260101-000000-aaaa',
    ]);
    expect(listRuns(env)[2]).toMatchObject({ beganAt: '2026-01-01T00:00:00.000Z', recipe: 'Move it' });
  });

  test('a run that has ended says how, and where the workload is', () => {
    write('r1', attempt('run'), finished('rolled-back', 'source'));
    expect(listRuns(env)).toEqual([
      {
        id: 'r1',
        path: pathOf('r1'),
        beganAt: expect.stringMatching(/^\d{4}-.*Z$/),
        recipe: 'Move it',
        source: 'root@a',
        destination: 'root@b',
        sshConfigFile: undefined,
        state: {
          kind: 'ended',
          endedAt: expect.stringMatching(/^\d{4}-.*Z$/),
          outcome: 'rolled-back',
          workloadIsOn: 'source',
          exitCode: 5,
        },
      },
    ]);
  });

  test('a run without an end has the controller of its last attempt; a torn last line is normal', () => {
    write('r1', attempt('run', 7), { kind: 'step-started' });
    appendFileSync(`${pathOf('r1')}/journal.jsonl`, '{"sequence":4,"at":"20');
    expect(listRuns(env)[0]?.state).toEqual({ kind: 'open', controller: { pid: 7 } });
  });

  test('the last attempt counts, also when an earlier controller wrote its end later', () => {
    write('r1', attempt('run', 7));
    const second = RunDirectory.reopen(readRun('r1', env));
    second.append(attempt('rollback', 8), { durable: false });
    expect(scanRun(pathOf('r1')).state).toEqual({ kind: 'open', controller: { pid: 8 } });
    second.append(finished('rolled-back', 'source'), { durable: false });
    second.close();
    const late = { sequence: 3, at: '2999-01-01T00:00:00Z', ...finished('superseded', 'unknown') };
    appendFileSync(`${pathOf('r1')}/journal.jsonl`, formatLine(late));
    expect(scanRun(pathOf('r1')).state).toMatchObject({ kind: 'ended', outcome: 'rolled-back' });
    // An attempt that a crash ended before its first line did nothing.
    writeFileSync(`${pathOf('r1')}/journal-3.jsonl`, '{"seq');
    expect(scanRun(pathOf('r1')).state).toMatchObject({ kind: 'ended', outcome: 'rolled-back' });
  });
});

describe('what cannot be read is listed all the same', () => {
  const lines = (): string[] =>
    readFileSync(`${pathOf('r1')}/journal.jsonl`, 'utf8')
      .split('\n')
      .slice(0, -1);
  const rewrite = (text: string): void => writeFileSync(`${pathOf('r1')}/journal.jsonl`, text);
  beforeEach(() => {
    write('r1', attempt('run'), { kind: 'step-started' }, finished('done', 'destination'));
    write('r2', finished('done', 'destination'));
  });
  afterEach(() => {
    expect(listRuns(env)).toHaveLength(2);
    expect(scanRun(pathOf('r2')).state.kind).toBe('ended');
  });
  const damageOf = (kind: 'damaged' | 'unknown-version'): string => {
    const run = scanRun(pathOf('r1'));
    expect(run).toMatchObject({ recipe: 'Move it', source: 'root@a', state: { kind } });
    if (!('damage' in run.state)) throw new Error('it is not damaged');
    expect(run.state.damage.code).toBe('JOURNAL_CORRUPT');
    return run.state.damage.message;
  };
  const kinds = (): string[] =>
    scanRun(pathOf('r1')).journals.flatMap(({ records }) => records.map(({ kind }) => kind));

  test('a damaged line: the whole lines before it are there', () => {
    rewrite(`${lines().join('\n').replace('step-started', 'step-startet')}\n`);
    expect(damageOf('damaged')).toBe(`Line 3 of ${pathOf('r1')}/journal.jsonl is damaged`);
    expect(kinds()).toEqual(['journal', 'attempt']);
  });

  test('a line that is lost', () => {
    rewrite(`${lines().toSpliced(1, 1).join('\n')}\n`);
    expect(damageOf('damaged')).toContain('Line 2 of ');
    expect(kinds()).toEqual(['journal']);
  });

  test('no journal, an empty one, one without its beginning', () => {
    rewrite('');
    expect(damageOf('damaged')).toContain('has no whole line');
    rewrite(formatLine({ sequence: 1, at: '', kind: 'attempt' }));
    expect(damageOf('damaged')).toContain('is not the beginning of a journal');
    rmSync(`${pathOf('r1')}/journal.jsonl`);
    expect(damageOf('damaged')).toContain('ENOENT');
  });

  test('a journal of another version, and one from before there were versions', () => {
    rewrite(formatLine({ sequence: 1, at: '', kind: 'journal', version: 2 }));
    expect(damageOf('unknown-version')).toContain('has version 2; this criu-flow reads version 1');
    rewrite('{"at":"2026-11-23T14:40:29.104Z","kind":"run-started","runId":"r1"}\n');
    expect(damageOf('unknown-version')).toContain('from before journals had a version');
  });
});

describe('findRun', () => {
  beforeEach(() => {
    for (const id of ['20261123-142339-a1b2', '20261123-142340-a1c3', '20261124-142339-beef']) write(id);
  });
  const idOf = (name: string): string => findRun(name, env).slice(pathOf('x').length - 1);

  test('by the id, by a beginning or an end of it, by the path', () => {
    for (const name of ['20261123-142339-a1b2', 'a1b2', '20261123-142339', '142339-a1b2']) {
      expect(idOf(name)).toBe('20261123-142339-a1b2');
    }
    expect(findRun(pathOf('20261124-142339-beef'), {})).toBe(pathOf('20261124-142339-beef'));
  });

  test('a whole id is that run, although another one ends with it', () => {
    write('beef');
    expect(idOf('beef')).toBe('beef');
  });

  test('one that several runs have is refused, and names them', () => {
    expect(() => findRun('20261123', env)).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: '"20261123" is short for 2 runs',
        evidence: '20261123-142339-a1b2\n20261123-142340-a1c3',
      }),
    );
  });

  test.each(['', '.', '..', 'c0de', '/tmp', '../runs', '1123'])('%j is no run', (name) => {
    expect(() => findRun(name, env)).toThrow(expect.objectContaining({ code: 'RUN_NOT_FOUND' }));
  });
});

describe('followRun', () => {
  const never = { isAbandoned: () => false };
  /** What was seen so far, and why it ended. */
  function follow(options: Parameters<typeof followRun>[1] = never, id = 'r1') {
    const seen: JournalRecord[] = [];
    const done = (async () => {
      const records = followRun(pathOf(id), options);
      for (;;) {
        const next = await records.next();
        if (next.done === true) return next.value;
        seen.push(next.value);
      }
    })();
    return { seen, done, kinds: () => seen.map(({ kind }) => kind) };
  }
  const until = async (condition: () => boolean): Promise<void> => {
    const end = performance.now() + 5000;
    while (!condition()) {
      if (performance.now() > end) throw new Error('it did not come to that');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };

  test('records come as they are written, without waiting for a recheck', async () => {
    const directory = create('r1');
    const { seen, done, kinds } = follow({ ...never, recheckMs: 60_000 });
    for (let count = 1; count <= 20; count++) {
      directory.append({ kind: 'warning', text: `${count}` }, { durable: false });
      await until(() => seen.length === count + 1);
    }
    directory.append(finished('done', 'destination'), { durable: false });
    expect(await done).toBe('end');
    expect(kinds()).toHaveLength(22);
    directory.close();
  });

  test('thousands of records, and long ones, come whole and in order', async () => {
    const directory = create('r1');
    const { seen, done } = follow();
    for (let count = 0; count < 5000; count++) {
      const text = count % 1000 === 0 ? 'ö'.repeat(100_000) : `${count} €`;
      directory.append({ kind: 'warning', text }, { durable: false });
      if (count % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    directory.append(finished('done', 'destination'), { durable: false });
    directory.close();
    expect(await done).toBe('end');
    expect(seen.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 5002 }, (_, index) => index + 1),
    );
    expect(seen[1]?.['text']).toBe('ö'.repeat(100_000));
    expect(seen[5000]?.['text']).toBe('4999 €');
  });

  test('a line that is written in two pieces is one record', async () => {
    create('r1').close();
    const { done, kinds } = follow();
    const line = Buffer.from(formatLine({ sequence: 2, at: '', kind: 'warning', text: '€' }));
    const cut = line.indexOf(0xe2) + 1;
    appendFileSync(`${pathOf('r1')}/journal.jsonl`, line.subarray(0, cut));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(kinds()).toEqual(['journal']);
    appendFileSync(`${pathOf('r1')}/journal.jsonl`, line.subarray(cut));
    await until(() => kinds().length === 2);
    const end = { sequence: 3, at: '', ...finished('done', 'destination') };
    appendFileSync(`${pathOf('r1')}/journal.jsonl`, formatLine(end));
    expect(await done).toBe('end');
  });

  test('it goes on with the attempt that takes the run up', async () => {
    write('r1', attempt('run'));
    const { done, kinds } = follow();
    await until(() => kinds().length === 2);
    const second = RunDirectory.reopen(readRun('r1', env));
    second.append(attempt('rollback'), { durable: false });
    await until(() => kinds().length === 4);
    second.append(finished('rolled-back', 'source'), { durable: false });
    expect(await done).toBe('end');
    expect(kinds()).toEqual(['journal', 'attempt', 'journal', 'attempt', 'run-finished']);
    second.close();
  });

  test('a run that is over is read, an end that was superseded goes on to the next attempt', async () => {
    write('r1', attempt('run'), finished('superseded', 'unknown'));
    writeFileSync(
      `${pathOf('r1')}/journal-2.jsonl`,
      [{ kind: 'journal', version: 1 }, attempt('rollback'), finished('rolled-back', 'source')]
        .map((record, index) => formatLine({ sequence: index + 1, at: '', ...record }))
        .join(''),
    );
    const { done, kinds } = follow();
    expect(await done).toBe('end');
    expect(kinds()).toHaveLength(6);
  });

  test('when nobody is left to write the end it is given up, after the last record', async () => {
    const directory = create('r1');
    let isAbandoned = false;
    const { done, kinds } = follow({ isAbandoned: () => isAbandoned, recheckMs: 20 });
    await until(() => kinds().length === 1);
    directory.append({ kind: 'warning', text: 'the last' }, { durable: false });
    directory.close();
    isAbandoned = true;
    expect(await done).toBe('abandoned');
    expect(kinds()).toEqual(['journal', 'warning']);
  });

  test('the signal ends it at once', async () => {
    create('r1').close();
    const controller = new AbortController();
    const { done, kinds } = follow({ ...never, signal: controller.signal, recheckMs: 60_000 });
    await until(() => kinds().length === 1);
    controller.abort();
    expect(await done).toBe('stopped');
  });

  test('damage ends it, after the whole lines before it', async () => {
    write('r1', attempt('run'));
    appendFileSync(`${pathOf('r1')}/journal.jsonl`, '{"sequence":3}\n');
    const { done, kinds } = follow();
    await expect(done).rejects.toMatchObject({ code: 'JOURNAL_CORRUPT' });
    expect(kinds()).toEqual(['journal', 'attempt']);
  });

  test('waiting costs nothing', async () => {
    create('r1').close();
    const controller = new AbortController();
    const { done } = follow({ ...never, signal: controller.signal });
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(300);
    controller.abort();
    await done;
  });
});
