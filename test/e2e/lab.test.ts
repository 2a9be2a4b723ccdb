import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { bridgeName, claimNetwork } from '../../src/lab/bridge.ts';
import { hostProcesses } from '../../src/lab/host-processes.ts';
import { LocalHost } from '../../src/host/local.ts';
import { labDown, labKillHost, labStartHost, labStatus, labUp, listLabs } from '../../src/lab/lab.ts';
import { labDirectory, labsDirectory } from '../../src/lab/paths.ts';
import { runCli } from '../helpers/cli.ts';
import { labSkipReason } from '../helpers/migration-lab.ts';

const machine = new LocalHost();

describe.skipIf(labSkipReason !== undefined)('a lab', () => {
  const names: string[] = [];
  const newName = (): string => {
    const name = `test-${randomBytes(4).toString('hex')}`;
    names.push(name);
    return name;
  };
  afterEach(async () => {
    for (const name of names.splice(0)) if (existsSync(labDirectory(name))) await labDown(name);
  });

  /** What a lab has outside of its own directory. */
  const remains = async (name: string): Promise<unknown> => ({
    directory: existsSync(labDirectory(name)),
    links: readdirSync('/sys/class/net').filter((link) => link.startsWith(bridgeName(name))),
    processes: await hostProcesses(labDirectory(name)),
  });
  const nothing = { directory: false, links: [], processes: [] };

  test('is several hosts that see each other and share a directory; down leaves nothing', async () => {
    const name = newName();
    const lab = await labUp({ name, hosts: ['a', 'b', 'c'] });
    expect(lab.hosts.map((host) => host.name)).toEqual(['a', 'b', 'c']);
    expect(lab.hosts.every((host) => host.pid !== undefined)).toBe(true);
    const exec = (host: string, ...argv: readonly string[]) =>
      runCli(['lab', 'exec', '--lab', name, host, '--', ...argv]);
    expect(
      await exec('a', 'sh', '-c', 'echo "$(hostname)" > /shared/note; ping -c 1 -W 2 b > /dev/null'),
    ).toMatchObject({ exitCode: 0 });
    expect(await exec('c', 'cat', '/shared/note')).toMatchObject({ exitCode: 0, stdout: 'a\n' });
    // Each argument arrives as it is.
    expect(await exec('b', 'printf', '%s|', 'it is', '$(reboot)', "'")).toMatchObject({
      stdout: "it is|$(reboot)|'|",
    });
    expect(await exec('b', 'sh', '-c', 'exit 7')).toMatchObject({ exitCode: 7 });
    // A service address of this lab is free, and no host has a key to another.
    expect(await exec('a', 'ssh', '-o', 'BatchMode=yes', 'b', 'true')).toMatchObject({ exitCode: 255 });
    expect(await listLabs()).toContain(name);
    await labDown(name);
    expect(await remains(name)).toEqual(nothing);
  });

  test('two at once have networks of their own', async () => {
    const [one, two] = await Promise.all([newName(), newName()].map((name) => labUp({ name, hosts: ['a'] })));
    expect(one?.serviceAddress).not.toBe(two?.serviceAddress);
    expect(Object.keys(networkInterfaces())).toEqual(
      expect.arrayContaining([bridgeName(one?.name ?? ''), bridgeName(two?.name ?? '')]),
    );
  });

  test('of the same name is refused, and the first one lives on', async () => {
    const name = newName();
    await labUp({ name, hosts: ['a'] });
    await expect(labUp({ name, hosts: ['a'] })).rejects.toMatchObject({ code: 'LAB_EXISTS' });
    expect((await labStatus(name)).hosts[0]?.pid).toBeDefined();
  });

  test('that crashed half-way goes down too', async () => {
    const name = newName();
    mkdirSync(labDirectory(name), { recursive: true, mode: 0o700 });
    await claimNetwork(name);
    expect(await runCli(['lab', 'status', name])).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining(`criu-flow lab down ${name}`),
    });
    expect(await runCli(['lab', 'down', name])).toMatchObject({
      exitCode: 0,
      stdout: `lab ${name} is down\n`,
    });
    expect(await remains(name)).toEqual(nothing);
    expect(readdirSync(`${labsDirectory}/.networks`)).not.toContain(name);
  });

  test('that was killed while it was built goes down and leaves nothing', async () => {
    const name = newName();
    const { exitCode } = await runCli(['lab', 'up', name, '--hosts', '4'], {
      env: {},
      onStderr: (text, kill) => {
        if (text.includes('starting')) kill('SIGKILL');
      },
    });
    expect(exitCode).toBeNull();
    expect(existsSync(labDirectory(name))).toBe(true);
    await labDown(name);
    expect(await remains(name)).toEqual(nothing);
  });

  test('has hosts that lose their power and start again, with the disk that they had', async () => {
    const name = newName();
    await labUp({ name, hosts: ['a', 'b'] });
    await runCli(['lab', 'exec', '--lab', name, 'b', '--', 'touch', '/srv/kept', '/run/lost']);
    await labKillHost(name, 'b');
    expect((await labStatus(name)).hosts.map((host) => host.pid !== undefined)).toEqual([true, false]);
    await labStartHost(name, 'b');
    const { stdout } = await runCli(['lab', 'exec', '--lab', name, 'b', '--', 'ls', '/srv', '/run/lost']);
    expect(stdout).toContain('kept');
    expect(stdout).not.toContain('lost\n/run/lost');
  });

  test('are found at once when they start again, by who has asked for them in vain meanwhile', async () => {
    const name = newName();
    await labUp({ name, hosts: ['a', 'b'] });
    const { address } = (await labStatus(name)).hosts[1]!;
    const state = async (): Promise<string> => (await machine.run(['ip', 'neigh', 'show', address])).stdout;
    await labKillHost(name, 'b');
    await machine.run(['ip', 'neigh', 'flush', 'to', address]);
    const asked = connect(22, address).on('error', () => undefined);
    await vi.waitFor(async () => expect(await state()).toMatch(/INCOMPLETE|FAILED/));
    await labStartHost(name, 'b');
    expect(await state()).toMatch(/lladdr [0-9a-f:]+ (REACHABLE|STALE|DELAY|PROBE)/);
    asked.destroy();
  });

  test('can have a slow link', async () => {
    const name = newName();
    await labUp({ name, hosts: ['a', 'b'], rateMbitPerSecond: 50 });
    const { stdout } = await runCli([
      'lab',
      'exec',
      '--lab',
      name,
      'a',
      '--',
      'tc',
      'qdisc',
      'show',
      'dev',
      'eth0',
    ]);
    expect(stdout).toContain('rate 50Mbit');
  });
});
