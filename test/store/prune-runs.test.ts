import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunState } from '../../src/store/list-runs.ts';
import { isOver, isOverSince, removeRun, sizeOf, sweepRemoved } from '../../src/store/prune-runs.ts';
import { RunDirectory } from '../../src/store/run-directory.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

let state: TemporaryDirectory;
beforeEach(() => {
  state = temporaryDirectory();
});
afterEach(() => state[Symbol.dispose]());

const ended = (outcome: string, endedAt = '2026-11-23T00:00:00.000Z'): RunState => ({
  kind: 'ended',
  endedAt,
  outcome,
  workloadIsOn: 'source',
  exitCode: 0,
});

test('only what leaves nothing to do is over', () => {
  for (const outcome of ['done', 'refused', 'rolled-back', 'moved-but-missed']) {
    expect(isOver(ended(outcome))).toBe(true);
  }
  // resume and rollback need the journal of these; what a later version means nobody knows.
  for (const outcome of ['rollback-incomplete', 'superseded', 'unknown', 'constructor']) {
    expect(isOver(ended(outcome))).toBe(false);
  }
  expect(isOver({ kind: 'open', controller: undefined })).toBe(false);
});

test('the age counts from the end; an end in the future, or at no time, is too young', () => {
  const end = Date.parse('2026-11-23T00:00:00.000Z');
  expect(isOverSince(ended('done'), 1000, end + 999)).toBe(false);
  expect(isOverSince(ended('done'), 1000, end + 1000)).toBe(true);
  expect(isOverSince(ended('done'), 0, end - 1)).toBe(false);
  expect(isOverSince(ended('done', 'yesterday'), 0, end)).toBe(false);
  expect(isOverSince(ended('superseded'), 0, end + 1000)).toBe(false);
});

test('a run is removed whole, and nothing that it points to', () => {
  const directory = RunDirectory.create('r1', { a: 1 }, {}, { XDG_STATE_HOME: state.path });
  directory.close();
  mkdirSync(`${directory.path}/logs`);
  writeFileSync(`${directory.path}/logs/dump.log`, 'x'.repeat(1000));
  mkdirSync(state.at('elsewhere'));
  writeFileSync(state.at('elsewhere', 'file'), 'y'.repeat(100_000));
  symlinkSync(state.at('elsewhere'), `${directory.path}/link`);
  const bytes = sizeOf(directory.path);
  expect(bytes).toBeGreaterThan(1000);
  expect(bytes).toBeLessThan(5000);
  removeRun(directory.path);
  expect(readdirSync(state.at('criu-flow', 'runs'))).toEqual([]);
  expect(existsSync(state.at('elsewhere', 'file'))).toBe(true);
});

test('what cannot be removed is said with its path', () => {
  expect(() => removeRun(state.at('none'))).toThrow(
    expect.objectContaining({ code: 'COMMAND_FAILED', message: `${state.at('none')} cannot be removed` }),
  );
});

test('what a removal that was cut off has left goes with the next one', () => {
  const env = { XDG_STATE_HOME: state.path };
  sweepRemoved(env);
  RunDirectory.create('r1', {}, {}, env).close();
  mkdirSync(state.at('criu-flow', 'runs', '.removed-r2'));
  writeFileSync(state.at('criu-flow', 'runs', '.removed-r2', 'plan.json'), '');
  sweepRemoved(env);
  expect(readdirSync(state.at('criu-flow', 'runs'))).toEqual(['r1']);
});
