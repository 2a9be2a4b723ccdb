import { describe, expect, test } from 'vitest';
import { formatFailure, formatFailureLine } from '../../src/report/failure.ts';

test('what failed, where, in whose words, what to do, what to paste', () => {
  expect(
    formatFailure(
      {
        code: 'RESTORE_FAILED',
        message: 'criu restore on root@b ended with exit code 1',
        host: 'root@b',
        evidence: "(00.1)  41: Error (criu/files-reg.c:2143): Can't open file srv/x",
        hint: 'Add /srv/x to `files:`.',
        command: "ssh -- root@b 'ls -l /srv'",
      },
      { step: 'Restore it' },
    ),
  ).toBe(`error RESTORE_FAILED: criu restore on root@b ended with exit code 1
  host: root@b   step: Restore it
  criu says: (00.1)  41: Error (criu/files-reg.c:2143): Can't open file srv/x
  do: Add /srv/x to \`files:\`.
  run: ssh -- root@b 'ls -l /srv'`);
});

test('several things to do are a list', () => {
  expect(formatFailure({ code: 'PREFLIGHT_REFUSED', message: 'no', hint: 'One.\n\nTwo.\n' })).toBe(
    'error PREFLIGHT_REFUSED: no\n  do:\n    One.\n    Two.',
  );
});

test('of a long output the end is shown, for the rest is in the run directory', () => {
  const evidence = Array.from({ length: 100 }, (_, line) => `line ${line}`).join('\n');
  const text = formatFailure({ code: 'TRANSFER_FAILED', message: 'rsync failed', evidence });
  expect(text.split('\n')).toHaveLength(2 + 12);
  expect(text).toContain('line 99');
});

test('a place in a file is where an editor finds it', () => {
  const location = { file: 'x.yaml', line: 4, column: 1 };
  expect(formatFailure({ code: 'INPUT_INVALID', message: 'no', location })).toContain('at: x.yaml:4:1');
});

test('a bug comes with its stack, and with whom to tell', () => {
  const failure = {
    code: 'BUG',
    message: 'x is not a function',
    stack: 'TypeError: x\n    at f (x.ts:1:1)',
  } as const;
  expect(formatFailure(failure)).toMatch(
    /at f \(x\.ts:1:1\)\n {2}This is a bug in criu-flow .*please report it/,
  );
  expect(formatFailureLine(failure)).toBe('BUG: x is not a function');
});

describe('whose words these are', () => {
  test.each([
    ['Error (criu/mount.c:1): no', 'criu says'],
    ['rsync: [sender] failed\nrsync error: some files', 'rsync says'],
    ['ssh: connect to host a port 22: Connection refused', 'ssh says'],
    ['root@a: Permission denied (publickey).', 'ssh says'],
    ['cp: no such file', 'details'],
  ])('%j', (evidence, label) => {
    const text = formatFailure({ code: 'COMMAND_FAILED', message: 'no', evidence });
    expect(text).toContain(`  ${label}:`);
  });

  test('the name of a signal needs no label: the message has it', () => {
    expect(formatFailure({ code: 'INTERRUPTED', message: 'Interrupted by SIGINT', evidence: 'SIGINT' })).toBe(
      'error INTERRUPTED: Interrupted by SIGINT',
    );
  });
});
