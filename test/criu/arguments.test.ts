import { expect, test } from 'vitest';
import {
  dumpArguments,
  preDumpArguments,
  restoreArguments,
  type CriuOptions,
} from '../../src/criu/arguments.ts';

const options: CriuOptions = {
  imagesDirectory: '/run/images',
  workDirectory: '/run/hold',
  actionScript: '/run/hold/hold',
  connections: 'refuse',
  shellJob: false,
  loopbackConnections: false,
  fileLocks: false,
  ghostLimitBytes: 64,
};

test('a dump ends the tasks itself, in the hands of its action script', () => {
  expect(dumpArguments(4711, options)).toEqual([
    ...['criu', 'dump', '--tree', '4711', '--log-file', 'dump.log'],
    ...['--images-dir', '/run/images', '--work-dir', '/run/hold', '-v3', '--manage-cgroups=ignore'],
    ...['--network-lock', 'nftables', '--action-script', '/run/hold/hold', '--ghost-limit', '64'],
  ]);
  // What would take the decision away from the hold.
  expect(dumpArguments(4711, options).join(' ')).not.toMatch(/--leave-(running|stopped)/);
});

test('a restore leaves the tree without criu, and with the same options as the dump', () => {
  for (const connections of ['keep', 'close', 'refuse'] as const) {
    for (const shellJob of [true, false]) {
      const how = { ...options, connections, shellJob };
      const dump = dumpArguments(1, how).slice(6, -2);
      expect(restoreArguments(how)).toEqual([
        ...['criu', 'restore', '--restore-detached', '--log-file', 'restore.log'],
        ...dump,
      ]);
    }
  }
});

test.each([
  ['keep', false, ['--tcp-established']],
  ['close', false, ['--tcp-close']],
  ['refuse', false, []],
  ['refuse', true, ['--shell-job']],
  ['keep', true, ['--tcp-established', '--shell-job']],
] as const)('connections: %s, shell job: %s', (connections, shellJob, expected) => {
  const plain = new Set(dumpArguments(1, options));
  const more = dumpArguments(1, { ...options, connections, shellJob }).filter((each) => !plain.has(each));
  expect(more).toEqual(expected);
});

test('of a workload that writes to the journal, criu dumps its own ends, and restores them as its own output', () => {
  const how = { ...options, journal: { identifier: 'nginx', streams: [501, 502] } };
  expect(dumpArguments(4711, how).slice(-7)).toEqual([
    ...['--ext-unix-sk', '--ghost-limit', '64', '--external', 'unix[501]', '--external', 'unix[502]'],
  ]);
  const restore = restoreArguments(how);
  expect(restore.slice(0, restore.indexOf('restore'))).toEqual([
    ...['sh', '-c', 'exec 9>&2; exec "$@"', 'criu-flow', 'systemd-cat', '--identifier=nginx'],
    ...['sh', '-c', 'exec 3>&1 4>&1; exec >&9 2>&9 9>&-; exec "$@"', 'criu-flow', 'criu'],
  ]);
  expect(restore.slice(-5)).toEqual([
    ...['--ext-unix-sk', '--inherit-fd', 'fd[3]:socket:[501]', '--inherit-fd', 'fd[4]:socket:[502]'],
  ]);
  // Messages only: criu connects by itself.
  const messages = restoreArguments({ ...options, journal: { identifier: 'nginx', streams: [] } });
  expect([messages[0], messages.at(-1)]).toEqual(['criu', '--ext-unix-sk']);
});

test('rounds of memory, and the dump after them, have what was not written to since in their parent', () => {
  const first = preDumpArguments(4711, options);
  expect(first.slice(0, 6)).toEqual(['criu', 'pre-dump', '--tree', '4711', '--log-file', 'pre-dump.log']);
  expect(first.at(-1)).toBe('--track-mem');
  const since = (parent: string): string[] => ['--track-mem', '--prev-images-dir', parent];
  expect(preDumpArguments(4711, options, '../round-1').slice(-3)).toEqual(since('../round-1'));
  expect(dumpArguments(4711, options, { parent: 'last-round' }).slice(-3)).toEqual(since('last-round'));
});

test('connections of its own are kept, though all others are refused; who closes connections closes them, too', () => {
  const own = { ...options, loopbackConnections: true };
  expect(dumpArguments(1, own)).toContain('--tcp-established');
  expect(restoreArguments(own)).toContain('--tcp-established');
  expect(dumpArguments(1, { ...own, connections: 'close' })).not.toContain('--tcp-established');
});

test('locks of files are told to dump and restore, the largest file without a name to the dump', () => {
  const more = { ...options, fileLocks: true };
  expect(dumpArguments(1, more).slice(-3)).toEqual(['--file-locks', '--ghost-limit', '64']);
  expect(restoreArguments(more)).toContain('--file-locks');
  expect(restoreArguments(more)).not.toContain('--ghost-limit');
});
