import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import { findWorkload } from '../../src/workload/find.ts';
import { fakePrograms, type FakePrograms } from '../helpers/fake-programs.ts';
import { startProgram } from '../helpers/started-program.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const host = new LocalHost();
const ECHO_READY = 'read -r line; echo "$line"; read -r line';

test('a pid that runs', async () => {
  expect(await findWorkload(host, { kind: 'pid', pid: process.pid })).toBe(process.pid);
});

test.each([
  ['with an end of line', (pid: number) => `${pid}\n`],
  ['without one', (pid: number) => `${pid}`],
  ['with spaces around it', (pid: number) => `  ${pid} \n`],
])('a pid file %s', async (_, content) => {
  using directory = temporaryDirectory();
  const path = directory.at("pid file's");
  writeFileSync(path, content(process.pid));
  expect(await findWorkload(host, { kind: 'pid-file', path })).toBe(process.pid);
});

test.each([
  ['is missing', undefined, 'no such file'],
  ['is empty', '', 'it is empty'],
  ['holds words', 'nginx\n', 'it holds no pid'],
  ['holds a command', '$(reboot)\n', 'it holds no pid'],
  ['holds a path', '1/../1\n', 'it holds no pid'],
  ['holds a negative number', '-1\n', 'it holds no pid'],
  ['names nobody', '4194303\n', 'it names process 4194303, which is not there'],
])('a pid file that %s', async (_, content, why) => {
  using directory = temporaryDirectory();
  const path = directory.at('pid');
  if (content !== undefined) writeFileSync(path, content);
  await expect(findWorkload(host, { kind: 'pid-file', path })).rejects.toMatchObject({
    code: 'WORKLOAD_NOT_FOUND',
    message: `There is no process named by ${path} on local: ${why}`,
  });
});

test('an executable, by the file that runs and not by its name: a symbolic link leads to it', async () => {
  using directory = temporaryDirectory();
  const [program, link] = [directory.at("it's a program"), directory.at('link')];
  copyFileSync('/bin/sh', program);
  symlinkSync(program, link);
  await using started = await startProgram(program, '-c', ECHO_READY);
  for (const path of [program, link]) {
    expect(await findWorkload(host, { kind: 'executable', path })).toBe(started.pid);
  }
});

test('an executable with exact arguments: none is none, not any', async () => {
  using directory = temporaryDirectory();
  const path = directory.at('program');
  copyFileSync('/bin/cat', path);
  // cat(1) says what it hears.
  await using none = await startProgram(path);
  await using one = await startProgram(path, '-');
  await using two = await startProgram(path, '-', '-');
  const find = (args?: readonly string[]): Promise<number> =>
    findWorkload(host, { kind: 'executable', path, ...(args ? { arguments: args } : {}) });
  expect(await find([])).toBe(none.pid);
  expect(await find(['-'])).toBe(one.pid);
  expect(await find(['-', '-'])).toBe(two.pid);
  // Neither an empty argument nor a line end makes one list look like another.
  for (const args of [[''], ['-\n-'], ['-', '-', '']]) {
    await expect(find(args)).rejects.toMatchObject({ code: 'WORKLOAD_NOT_FOUND' });
  }
  await expect(find()).rejects.toMatchObject({
    code: 'WORKLOAD_AMBIGUOUS',
    message: expect.stringMatching(/^3 processes match, and one is needed: \d+, \d+, \d+ \(process of .*\)$/),
  });
});

test('of a master and its workers, which run the same program, the master is meant', async () => {
  using directory = temporaryDirectory();
  const path = directory.at('program');
  copyFileSync('/bin/sh', path);
  const worker = `'${path}' -c 'sleep 1000; :'`;
  await using master = await startProgram(path, '-c', `${worker} & ${worker} & cat; :`);
  expect(await findWorkload(host, { kind: 'executable', path })).toBe(master.pid);
});

test('a path that is no program runs nowhere', async () => {
  for (const path of ['/no/such/program', '/proc/version', '']) {
    await expect(findWorkload(host, { kind: 'executable', path })).rejects.toMatchObject({
      code: 'WORKLOAD_NOT_FOUND',
    });
  }
});

/** A systemd whose unit has that main process and that `Restart=`. */
const systemd = (pid: string, restart: string): FakePrograms =>
  fakePrograms({
    systemctl: `case $3 in MainPID) printf '%s' '${pid}' ;; Restart) echo '${restart}' ;; esac`,
  });

test.each(['no', ''])('a unit with Restart=%s is found', async (restart) => {
  using systemctl = systemd('4711', restart);
  expect(await findWorkload(systemctl.host, { kind: 'unit', unit: 'x' })).toBe(4711);
});

test('a unit that does not run is not found', async () => {
  using systemctl = systemd('0', 'no');
  await expect(findWorkload(systemctl.host, { kind: 'unit', unit: 'x' })).rejects.toMatchObject({
    code: 'WORKLOAD_NOT_FOUND',
    message: 'There is no running unit x on local',
  });
});

/** A systemd that has no such service, but a scope, with this process and its two children. */
test.each(['video@1.service', String.raw`video\x401.scope`, 'video@1'])(
  'what is in the scope of that name is found as %s',
  async (unit) => {
    await using child = await startProgram(
      'sh',
      '-c',
      'read -r line; sleep 4713 & sleep 4713 & echo "$line"; wait',
    );
    using directory = temporaryDirectory();
    const pids = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ');
    writeFileSync(directory.at('pids'), [...pids, child.pid].join('\n'));
    using systemctl = fakePrograms({
      systemctl: `case $3:$6 in MainPID:*) echo 0 ;; ControlGroup:'video\\x401.scope') echo /video.scope ;; esac`,
      cat: `case $1 in /sys/fs/cgroup/video.scope/*) exec /usr/bin/cat '${directory.at('pids')}' ;; *) exec /usr/bin/cat "$@" ;; esac`,
    });
    expect(await findWorkload(systemctl.host, { kind: 'unit', unit })).toBe(child.pid);
  },
);

test('a unit that systemd would start again is refused: a second copy would run', async () => {
  using systemctl = systemd('4711', 'on-failure');
  await expect(findWorkload(systemctl.host, { kind: 'unit', unit: 'video.service' })).rejects.toMatchObject({
    code: 'PREFLIGHT_REFUSED',
    evidence: 'restart on-failure',
    command: expect.stringContaining('systemctl edit --runtime -- video.service'),
  });
});
