import { expect, test } from 'vitest';
import type { CgroupFacts, WorkloadFacts } from '../../src/workload/facts.ts';
import { scopeOf } from '../../src/workload/scope.ts';

const scope = (cgroup?: Partial<CgroupFacts>) => {
  const workload: WorkloadFacts = { rootPid: 10, processes: [], files: [], connections: [] };
  const facts = cgroup && {
    path: '/system.slice/video.service',
    limits: {},
    outside: [],
    isShared: false,
    ...cgroup,
  };
  return scopeOf({ ...workload, ...(facts && { cgroup: facts }) }, 'r1');
};

test.each([
  ['/system.slice/video.service', 'video.scope', 'criu-flow-r1.scope'],
  // What was moved before is moved again.
  ['/system.slice/video.scope', 'video.scope', 'criu-flow-r1.scope'],
  ['/system.slice/system-video.slice/video@1.service', String.raw`video\x401.scope`, 'criu-flow-r1.scope'],
  ['/user.slice/user-0.slice/session-4.scope', 'criu-flow-r1.scope', 'criu-flow-r1-2.scope'],
  ['/user.slice/user-1000.slice/user@1000.service', 'criu-flow-r1.scope', 'criu-flow-r1-2.scope'],
  ['/init.scope', 'criu-flow-r1.scope', 'criu-flow-r1-2.scope'],
  ['/', 'criu-flow-r1.scope', 'criu-flow-r1-2.scope'],
  // Names that systemd would not take, or that could be an option, are not asked for.
  ['/a/x y.service', 'criu-flow-r1.scope', 'criu-flow-r1-2.scope'],
  [`/a/${'x'.repeat(200)}.service`, 'criu-flow-r1.scope', 'criu-flow-r1-2.scope'],
])('of %s it is %s', (path, ...names) => {
  expect(scope({ path }).names).toEqual(names);
});

test('without cgroup v2 it has a name of its own, and no limits', () => {
  expect(scope()).toEqual({ names: ['criu-flow-r1.scope', 'criu-flow-r1-2.scope'], properties: [] });
});

test('where others are in its cgroup too, neither the name nor the limits of that are its own', () => {
  expect(scope({ isShared: true, limits: { 'memory.max': '1' } })).toEqual({
    names: ['criu-flow-r1.scope', 'criu-flow-r1-2.scope'],
    properties: [],
  });
});

test('limits have the names that systemd has for them', () => {
  const { properties } = scope({
    limits: {
      'memory.min': '1',
      'memory.low': '2',
      'memory.high': '3',
      'memory.max': '67108864',
      'memory.swap.max': '0',
      'pids.max': '50',
      'cpu.max': '25000 50000',
      'cpu.weight': '7',
      'io.weight': 'default 200',
    },
  });
  expect(properties).toEqual([
    ...['MemoryMin=1', 'MemoryLow=2', 'MemoryHigh=3', 'MemoryMax=67108864', 'MemorySwapMax=0'],
    ...['TasksMax=50', 'CPUQuota=50%', 'CPUQuotaPeriodSec=50000us', 'CPUWeight=7', 'IOWeight=200'],
  ]);
});

test('the longest period alone is no limit, and what is none of them is left out', () => {
  expect(scope({ limits: { 'cpu.max': 'max 200000' } }).properties).toEqual([]);
  expect(scope({ limits: { 'cpu.max': '33333 100000' } }).properties).toContain('CPUQuota=33.3%');
  // That of `CPUWeight=idle`, and one of a device.
  expect(scope({ limits: { 'cpu.weight': '0', 'io.weight': 'default 100\n8:0 50' } }).properties).toEqual([]);
  expect(scope({ limits: { 'memory.min': 'max' } }).properties).toEqual(['MemoryMin=infinity']);
  expect(scope({ limits: { 'memory.max': '1\nx', 'hugetlb.max': '1' } }).properties).toEqual([]);
});
