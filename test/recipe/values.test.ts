import { describe, expect, test } from 'vitest';
import { parseBandwidth } from '../../src/recipe/bandwidth.ts';
import { parseDuration } from '../../src/recipe/duration.ts';
import { checkValue, type ValueKind } from '../../src/recipe/values.ts';

const VALUES: Readonly<Record<ValueKind, { valid: readonly unknown[]; wrong: readonly unknown[] }>> = {
  host: {
    valid: ['a', 'root@host-a', 'me.you@a.example.org', '10.0.0.1', 'root@[fd00::1]', 'fd00::1', 'local'],
    wrong: [
      '',
      '-oProxyCommand=x',
      'a b',
      'a;b',
      'root@-a',
      '-l@a',
      'a:22',
      '$(x)@a',
      '[a]',
      'a\nb',
      'a/b',
      'ä',
    ],
  },
  pattern: { valid: ['^up$', 'a|b', '\\d+'], wrong: ['(', '[', '\\q', '*'] },
  address: {
    valid: ['a.example.org', '10.0.0.9', 'fd00::9'],
    wrong: ['root@a', 'a:80', '-a', '', '10.0.0.9/24'],
  },
  cidr: {
    valid: ['10.0.0.9/24', '0.0.0.0/0', 'fd00::9/64', '10.0.0.9/32'],
    wrong: [
      '10.0.0.9',
      '10.0.0.9/33',
      '10.0.0/24',
      '10.0.0.9/024',
      'fd00::9/129',
      'fe80::1%eth0/64',
      'a/1',
      '/24',
      3,
    ],
  },
  device: {
    valid: ['eth0', 'br-lan', 'bond0.12'],
    wrong: ['', '-eth0', 'eth0:1', 'a/b', 'a b', 'sixteen-letters-', '..'],
  },
  path: {
    valid: ['/', '/run/x.pid', '/a b'],
    wrong: ['', 'a', './a', '~/a', '/a\nb', '/a\0b', `/${'x'.repeat(4095)}`],
  },
  'moved-path': {
    valid: ['/srv', '/srv/a b'],
    wrong: ['/', '/srv/', '//srv', '/srv/../etc', '/srv/.', 'srv', ''],
  },
  program: { valid: ['ls', '/usr/bin/ls', '1'], wrong: ['', '-x', 'a\0b'] },
  argument: { valid: ['', '-x', 'a\nb', 5, true], wrong: ['a\0b', { a: 1 }, ['a'], null] },
  count: { valid: [1, '1', 10_000], wrong: [0, -1, 10_001, 1.5, '', 'one', null] },
  'checkpoint-series': {
    valid: ['video', '1', 'a.b_c-d', 'x'.repeat(64), 17],
    wrong: ['', '.', '..', '-x', 'a/b', 'a b', '../x', 'x'.repeat(65), 'ü', null],
  },
  'checkpoint-id': {
    valid: ['latest', '1', 17, '0017'],
    wrong: ['', '0', 0, -1, 'newest', '1.5', 1.5, '../1', '9999999999'],
  },
  unit: { valid: ['video.service', 'a@b.service'], wrong: ['', '-a', 'a b', 'a/b', 'x'.repeat(256)] },
  line: { valid: ['Move it', '1'], wrong: ['', 'a\nb', 'a\u2028b', 'x'.repeat(201), null, { a: 1 }] },
  url: {
    valid: ['http://a/', 'https://[fd00::9]:8443/health?x=1'],
    wrong: [
      '',
      'a',
      'ftp://a',
      'file:///etc/passwd',
      'http://me:secret@a/',
      'http://fd00::9/',
      'http://a b/',
    ],
  },
  duration: {
    valid: ['1ms', '2s', '5m', '500h'],
    wrong: ['', '0s', '5', 5, '1.5s', '-1s', '501h', '1d', '2 s'],
  },
  bandwidth: {
    valid: ['1Mbit/s', '123KiB/s', '50MiB/s', '3GiB/s', '34Gbit/s'],
    wrong: [
      '',
      '0MiB/s',
      '50',
      50,
      '50MiB',
      '999kbit/s',
      '122KiB/s',
      '4GiB/s',
      '1.5MiB/s',
      '50 MiB/s',
      '50MB/s',
    ],
  },
  pid: { valid: [1, '4711', 4_194_304], wrong: [0, -1, 4_194_305, 1.5, '', '1e3', 'x', true, null, '0x10'] },
  port: { valid: [1, '80', 65_535], wrong: [0, 65_536, '', 'http', 80.5] },
  status: { valid: [200, '404'], wrong: [99, 600, 'OK'] },
  int: { valid: [0, -5, '12'], wrong: [1.5, '', 'x', Number.NaN, Infinity, 2 ** 60] },
  bool: { valid: [true, false], wrong: ['true', 1, '', null] },
  bytes: { valid: ['64MiB', '0B', '1GiB'], wrong: ['64', 64, '1.5GiB', '64 MiB', '64MB', ''] },
  condition: { valid: [true, false], wrong: ['true', 1, null] },
  items: { valid: [[['a']]], wrong: ['a', {}, null] },
  given: { valid: ['', 5, true], wrong: [null, ['a']] },
  string: { valid: ['', 'anything\n', 5], wrong: ['a\0b', null, true, { a: 1 }] },
};

describe.each(Object.entries(VALUES))('%s', (name, { valid, wrong }) => {
  const kind = name as ValueKind;
  test.each(valid)('takes %j', (value) => {
    expect(checkValue('it', kind, value)).toBeUndefined();
  });
  test.each(wrong)('refuses %j', (value) => {
    expect(checkValue('it', kind, value)?.message).toMatch(/^it must be .+, not .+$/s);
  });
});

test.each([
  ['host', 'root@a:2222', 'Put the port into ~/.ssh/config, under an alias.'],
  ['host', '-oProxyCommand=x', 'ssh would take what begins with a dash for an option.'],
  ['cidr', '10.0.0.9', 'Add the prefix length of its network, for example `/24`.'],
  ['moved-path', '/srv//video/', 'Write /srv/video.'],
  ['duration', 30, 'Add the unit, for example `30s`.'],
  ['bandwidth', 30, 'Add the unit, for example `30MiB/s`.'],
  ['bandwidth', '30 Mbps', 'The units are KiB/s, MiB/s, GiB/s, kbit/s, Mbit/s and Gbit/s, without a space.'],
  ['url', 'http://fd00::9:80/', 'An IPv6 address stands in brackets: http://[fd00::9]/.'],
] as const)('%s %j: %s', (kind, value, hint) => {
  expect(checkValue('it', kind, value)?.hint).toBe(hint);
});

test('bandwidths are bytes a second', () => {
  expect(['8Mbit/s', '1MiB/s', '2GiB/s'].map(parseBandwidth)).toEqual([1_000_000, 1024 ** 2, 2 * 1024 ** 3]);
});

test('durations are milliseconds', () => {
  expect(['1ms', '2s', '3m', '4h'].map(parseDuration)).toEqual([1, 2000, 180_000, 14_400_000]);
  expect(parseDuration('99999999999s')).toBeUndefined();
});
