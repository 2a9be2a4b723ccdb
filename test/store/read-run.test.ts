import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatLine } from '../../src/store/journal-format.ts';
import { readRun, type StoredRun } from '../../src/store/read-run.ts';
import { RunDirectory } from '../../src/store/run-directory.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

let state: TemporaryDirectory;
let journal: string;
const read = (idOrPath = 'r1'): StoredRun => readRun(idOrPath, { XDG_STATE_HOME: state.path });
const kinds = (): string[] => read().records.map(({ kind }) => kind);

beforeEach(() => {
  state = temporaryDirectory();
  const header = { sshConfigFile: '/a b', keepImages: true };
  const directory = RunDirectory.create('r1', { name: 'a plan' }, header, { XDG_STATE_HOME: state.path });
  directory.append({ kind: 'step-started', stepId: 'a\n\u2028"}' }, { durable: true });
  directory.append({ kind: 'warning', text: ',"crc32":"00000000"}' }, { durable: false });
  directory.close();
  journal = `${directory.path}/journal.jsonl`;
});
afterEach(() => state[Symbol.dispose]());

test('a run is read as it was written, by its id or by the path of its directory', () => {
  const run = read();
  expect(run).toMatchObject({
    runId: 'r1',
    plan: { name: 'a plan' },
    header: { sshConfigFile: '/a b', keepImages: true },
    records: [
      { sequence: 1, kind: 'journal', version: 1 },
      { sequence: 2, kind: 'step-started', stepId: 'a\n\u2028"}' },
      { sequence: 3, kind: 'warning', text: ',"crc32":"00000000"}' },
    ],
  });
  expect(read(run.path)).toEqual(run);
});

test('a last line that a crash has torn is left out', () => {
  for (const torn of ['{"sequence":4,"at":"20', '{"sequence":4}']) {
    appendFileSync(journal, torn);
    expect(kinds()).toEqual(['journal', 'step-started', 'warning']);
  }
});

test('each attempt has a journal of its own: an earlier controller may still write to its', () => {
  appendFileSync(journal, '{"torn');
  const before = read();
  const second = RunDirectory.reopen(before);
  expect(() => RunDirectory.reopen(before)).toThrow(expect.objectContaining({ code: 'LOCKED' }));
  second.append({ kind: 'after' }, { durable: true });
  second.close();
  expect(kinds()).toEqual(['journal', 'step-started', 'warning', 'journal', 'after']);
  expect(read().attempts).toBe(2);
});

test('an attempt that a crash ended before its first line did nothing', () => {
  writeFileSync(`${state.path}/criu-flow/runs/r1/journal-2.jsonl`, '{"seq');
  expect(kinds()).toEqual(['journal', 'step-started', 'warning']);
  expect(read().attempts).toBe(2);
});

test('every bit that flips in a whole line is found, and the line is named', () => {
  const text = readFileSync(journal);
  const end = text.lastIndexOf(10);
  for (let at = 0; at < end; at++) {
    const damaged = Buffer.from(text);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
    writeFileSync(journal, damaged);
    const line = text.subarray(0, at).toString().split('\n').length;
    expect(() => read(), `bit ${at % 8} of byte ${at}`).toThrow(
      expect.objectContaining({ code: 'JOURNAL_CORRUPT', message: expect.stringContaining(`Line ${line} `) }),
    );
  }
});

test.each([
  ['lost', (lines: string[]) => [lines[0], lines[2]], 'Line 2'],
  ['there twice', (lines: string[]) => [lines[0], lines[1], lines[1], lines[2]], 'Line 3'],
  ['the first one', (lines: string[]) => lines.slice(1), 'Line 1'],
])('a line that is %s is found', (_name, change, named) => {
  const lines = readFileSync(journal, 'utf8').split('\n').slice(0, -1);
  writeFileSync(
    journal,
    change(lines)
      .map((line) => `${line}\n`)
      .join(''),
  );
  expect(() => read()).toThrow(
    expect.objectContaining({ code: 'JOURNAL_CORRUPT', message: expect.stringContaining(named) }),
  );
});

test('a journal of another version is refused, not guessed at', () => {
  const line = formatLine({
    sequence: 1,
    at: '2026-11-23T00:00:00Z',
    kind: 'journal',
    version: 2,
    runId: 'r1',
  });
  writeFileSync(journal, line);
  expect(() => read()).toThrow(/has version 2; this criu-flow reads version 1/);
});

test('a run that is not there, or whose plan is damaged, is said so', () => {
  expect(() => read('r2')).toThrow(expect.objectContaining({ code: 'RUN_NOT_FOUND' }));
  writeFileSync(`${state.path}/criu-flow/runs/r1/plan.json`, '{');
  expect(() => read()).toThrow(expect.objectContaining({ code: 'JOURNAL_CORRUPT' }));
});
