import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Host } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import { mustRunScript } from '../../src/host/shell.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { destinationFindings } from '../../src/preflight/destination.ts';
import type { FileFacts, ProcessFacts, WorkloadFacts } from '../../src/workload/facts.ts';
import { fakePrograms } from '../helpers/fake-programs.ts';
import { namespaceSkipReason, networkNamespace } from '../helpers/network-namespace.ts';
import { planWith } from '../helpers/plan.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const FREE_PID = 4_194_303;

function workloadOf(process: Partial<ProcessFacts>, files: readonly FileFacts[] = []): WorkloadFacts {
  const root: ProcessFacts = {
    pid: FREE_PID,
    parentPid: 1,
    processGroup: FREE_PID,
    session: FREE_PID,
    startTicks: 1,
    threads: [],
    memoryBytes: 4096,
    command: 'server',
    executable: '/usr/bin/program',
    workingDirectory: '/',
    ...process,
  };
  return { rootPid: root.pid, processes: [root], files, connections: [] };
}

function planOf(more: Partial<Plan> = {}): Plan {
  return planWith({ workload: { kind: 'pid', pid: FREE_PID }, ...more });
}

const messages = async (
  workload: WorkloadFacts,
  plan: Plan = planOf(),
  host: Host = new LocalHost(),
): Promise<string[]> => (await destinationFindings(host, workload, plan)).map((finding) => finding.message);

test('a destination that has all that the workload needs is fine', async () => {
  expect(await messages(workloadOf({}))).toEqual([]);
});

test('a pid that is taken is named with who has it; so is that of a thread', async () => {
  expect(await messages(workloadOf({ pid: process.pid, threads: [process.pid] }))).toEqual([
    expect.stringMatching(new RegExp(`^PID ${process.pid} of the workload is taken on local by \\S+`)),
  ]);
  expect(await messages(workloadOf({ threads: [FREE_PID, process.pid] }))).toHaveLength(1);
});

test('there must be room for the images', async () => {
  expect(await messages(workloadOf({ memoryBytes: 2 ** 50 }))).toEqual([
    expect.stringMatching(/^\/var\/lib on local has \d+ bytes free; the images need up to 1125899906842624$/),
  ]);
});

test.each([
  ['nfs', '7', []],
  ['nfs', '8', [expect.stringContaining('has 9 bytes on b and 3 on the source')]],
  ['ext2/ext3', '7', [expect.stringContaining('has 9 bytes on b and 3 on the source')]],
])('of one on %s, with inode %s there, an older size may be seen', async (kind, inode, expected) => {
  /** One whose file has that size and inode. */
  const host = (size: number, inodeThere: string) =>
    fakePrograms({
      stat: `case "$*" in
        '-L -c %s %i -- /srv/log') echo ${size} ${inodeThere} ;;
        '-f -c %T -- /srv/log') echo ${kind} ;;
        '-L -c %s -- /srv/log') echo ${size} ;;
      esac`,
    });
  using source = host(3, '7');
  using destination = host(9, inode);
  const found = await destinationFindings(
    { ...destination.host, name: 'b' },
    workloadOf({}, [{ use: 'open', path: '/srv/log', sizeBytes: 3 }]),
    planOf(),
    { ...source.host, name: 'a' },
  );
  expect(found.map(({ message }) => message)).toEqual(expected);
});

test('an AppArmor profile that is not loaded, be it one of several, is named once', async () => {
  const profiles = 'no-such-profile//&no such other';
  expect(await messages(workloadOf({ appArmorProfile: profiles }))).toEqual([
    'The AppArmor profile no-such-profile, which confines the workload, is not loaded on local',
    'The AppArmor profile no such other, which confines the workload, is not loaded on local',
  ]);
});

test('who writes to the journal needs one on the destination', async () => {
  const output = { kind: 'u_str', path: '/run/systemd/journal/stdout' };
  const outsideSockets = [
    { ...output, inode: 7 },
    { ...output, inode: 8 },
  ];
  using fakes = fakePrograms({ 'systemd-cat': ':' });
  const workload = { ...workloadOf({}), outsideSockets };
  expect(await messages(workload, planOf(), { ...fakes.host, name: 'b' })).toEqual([
    'The workload writes to the journal of systemd, by /run/systemd/journal/stdout, and b has none, or no systemd-cat',
  ]);
});

test('an open file that both hosts share may grow between the looks; a library may not, nor a file of the destination', async () => {
  using directory = temporaryDirectory();
  const [log, other, library] = ['log', 'other', 'library.so'].map((name) => directory.at(name));
  writeFileSync(log ?? '', '12345');
  writeFileSync(other ?? '', '12');
  writeFileSync(library ?? '', '12345');
  const host = new LocalHost();
  const found = await destinationFindings(
    host,
    workloadOf({}, [
      { use: 'open', path: log ?? '', sizeBytes: 3 },
      { use: 'open', path: other ?? '', sizeBytes: 3 },
      { use: 'mapped', path: library ?? '', sizeBytes: 3 },
    ]),
    planOf(),
    // The source's own: `other` has another size there.
    {
      name: 'a',
      standBy: () => host.standBy(),
      close: () => host.close(),
      run: async (argv, options) => {
        const result = await host.run(argv, options);
        return { ...result, stdout: result.stdout.replace(/^2 /m, '4 ') };
      },
    },
  );
  expect(found.map(({ message }) => message)).toEqual([
    `The open file ${other} has 2 bytes on local and 3 on the source`,
    `The program or library ${library} has 5 bytes on local and 3 on the source`,
  ]);
});

test('images on a file system that is shared need room there', async () => {
  const plan = planOf({
    steps: [{ id: '3-transfer', uses: 'transfer/shared', title: 'x', rollback: [], directory: '/no/such' }],
  });
  expect(await messages(workloadOf({}), plan)).toEqual(['local has no directory /no/such']);
});

test('files: one that is missing, one of another size, one that is the same, one that moves along', async () => {
  using directory = temporaryDirectory();
  const path = directory.at("a file's $(name)\nwith\ttabs");
  writeFileSync(path, '12345');
  const facts = (use: FileFacts['use'], file: string, sizeBytes: number): FileFacts => ({
    use,
    path: file,
    sizeBytes,
  });
  const plan = planOf({ files: [{ path: directory.at('moves') }] });
  const found = await messages(
    workloadOf({}, [
      facts('open', path, 5),
      facts('open', directory.at('missing'), 1),
      facts('mapped', directory.at('library.so'), 1),
      facts('open', directory.at('moves'), 1),
      facts('open', directory.at('moves', 'deep'), 1),
      facts('open', directory.at('moves-not'), 1),
    ]),
    plan,
  );
  expect(found).toEqual([
    `The open file ${directory.at('missing')} is missing on local`,
    `The program or library ${directory.at('library.so')} is missing on local`,
    `The open file ${directory.at('moves-not')} is missing on local`,
  ]);
  expect(await messages(workloadOf({}, [facts('open', path, 6)]))).toEqual([
    `The open file ${path} has 5 bytes on local and 6 on the source`,
  ]);
});

test('a working directory must be there, be a directory, or move along', async () => {
  using directory = temporaryDirectory();
  writeFileSync(directory.at('file'), '');
  expect(await messages(workloadOf({ workingDirectory: directory.path }))).toEqual([]);
  // It has ended, and its parent has not asked for it yet.
  expect(await messages(workloadOf({ workingDirectory: '' }))).toEqual([]);
  for (const name of ['missing', 'file']) {
    const workload = workloadOf({ workingDirectory: directory.at(name) });
    expect(await messages(workload)).toEqual([
      `The working directory ${directory.at(name)} is missing on local`,
    ]);
    expect(await messages(workload, planOf({ files: [{ path: directory.at(name) }] }))).toEqual([]);
  }
});

const planWithAddress = (device: string): Plan =>
  planOf({ network: { connections: 'keep', address: { cidr: '10.0.0.9/24', device } } });

test('the service address needs its device', async () => {
  expect(await messages(workloadOf({}), planWithAddress('nosuchdevice'))).toEqual([
    'local has no network device nosuchdevice',
  ]);
});

test.skipIf(namespaceSkipReason !== undefined)(
  'the service address must not be there yet, on whichever device',
  async () => {
    await using network = await networkNamespace();
    const look = (): Promise<string[]> => messages(workloadOf({}), planWithAddress('lo'), network.host);
    const act = (script: string): Promise<unknown> =>
      mustRunScript(network.host, script, [], { what: script });
    expect(await look()).toEqual([]);
    // Another address of the same network is no conflict; the same one with another prefix is.
    await act('ip address add 10.0.0.90/24 dev lo');
    expect(await look()).toEqual([]);
    await act('ip link add other type veth peer name end && ip address add 10.0.0.9/32 dev other');
    expect(await look()).toEqual(['10.0.0.9/24 is on other of local already']);
  },
);
