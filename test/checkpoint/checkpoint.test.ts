import { expect, test } from 'vitest';
import { parseRecord } from '../../src/checkpoint/checkpoint.ts';

const process = { pid: 7, threads: [7, 8], startTicks: 1 };
const RECORD = {
  version: 1,
  runId: 'r-1',
  createdAt: '2026-11-28T00:00:00.000Z',
  workload: { rootPid: 7, processes: [process], files: [{ path: '/x' }], connections: [] },
  tasks: [{ pid: 7, startTicks: 1 }],
  files: [{ path: '/srv/x', isDirectory: true }],
};

const parse = (record: unknown): unknown => parseRecord(JSON.stringify(record), '/c/1', 'a');

test('a record is read as it was written', () => {
  expect(parse(RECORD)).toEqual(RECORD);
});

test.each([
  ['no JSON', '{"version":1'],
  ['nothing', ''],
  ['a list', '[]'],
  ['another version', JSON.stringify({ ...RECORD, version: 2 })],
  ['a pid that is a text', JSON.stringify({ ...RECORD, tasks: [{ pid: '7; reboot' }] })],
  ['a thread that is a text', withProcess({ ...process, threads: ['8'] })],
  ['a process without threads', withProcess({ pid: 7 })],
  ['no workload', JSON.stringify({ ...RECORD, workload: undefined })],
  ['a path that is none', JSON.stringify({ ...RECORD, files: [{ path: 7 }] })],
  ['files that are no list', JSON.stringify({ ...RECORD, files: { length: 1 } })],
])('%s is refused, with what to do', (_, text) => {
  expect(() => parseRecord(text, '/c/1', 'a')).toThrow(
    expect.objectContaining({
      code: 'CHECKPOINT_UNREADABLE',
      message: '/c/1 on a has no record that can be read',
      hint: expect.stringContaining('Restore an earlier one'),
    }),
  );
});

function withProcess(each: unknown): string {
  return JSON.stringify({ ...RECORD, workload: { ...RECORD.workload, processes: [each] } });
}
