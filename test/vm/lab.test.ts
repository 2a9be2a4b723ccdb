import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { bridgeName } from '../../src/lab/bridge.ts';
import { hostProcesses } from '../../src/lab/host-processes.ts';
import { labDown } from '../../src/lab/lab.ts';
import { labDirectory } from '../../src/lab/paths.ts';
import { type CliResult, runCli } from '../helpers/cli.ts';
import { machinesSkipReason } from '../helpers/migration-lab.ts';

describe.skipIf(machinesSkipReason !== undefined)('a lab of machines', () => {
  const name = `test-${randomBytes(4).toString('hex')}`;
  afterEach(async () => {
    if (existsSync(labDirectory(name))) await labDown(name);
  });
  const lab = (...args: readonly string[]): Promise<CliResult> => runCli(['lab', ...args]);
  const exec = async (host: string, script: string): Promise<string> =>
    (await lab('exec', '--lab', name, host, '--', 'sh', '-c', script)).stdout.trim();

  test('differ as they were asked to, lose what they had not synced with their power, and go down without a trace', async () => {
    const up = await lab('up', name, '--driver', 'vm', '--cpu', 'b=Nehalem');
    expect(up, up.stderr).toMatchObject({ exitCode: 0 });
    expect(await exec('a', 'ping -c 1 -W 5 b > /dev/null && hostname')).toBe('a');
    expect(await exec('b', "sed -n 's/^model name.*: //p' /proc/cpuinfo")).toContain('i7 9xx');
    expect(await exec('a', 'criu check --feature mem_dirty_track > /dev/null 2>&1 && echo yes')).toBe('yes');
    const boot = await exec('a', 'cat /proc/sys/kernel/random/boot_id');
    await exec('a', 'echo kept > /srv/synced; sync; echo lost > /srv/unsynced');
    expect(await lab('kill', 'a', '--lab', name)).toMatchObject({ exitCode: 0 });
    expect((await lab('status', name)).stdout).toMatch(/^ *a .*off/m);
    expect(await lab('start', 'a', '--lab', name)).toMatchObject({ exitCode: 0 });
    expect(await exec('a', 'cat /proc/sys/kernel/random/boot_id')).not.toBe(boot);
    expect(await exec('a', 'cat /srv/synced /srv/unsynced 2> /dev/null')).toBe('kept');
    expect(await lab('down', name)).toMatchObject({ exitCode: 0 });
    expect({
      directory: existsSync(labDirectory(name)),
      links: readdirSync('/sys/class/net').filter((link) => link.startsWith(bridgeName(name))),
      processes: await hostProcesses(labDirectory(name)),
    }).toEqual({ directory: false, links: [], processes: [] });
  });

  test('with a processor that QEMU does not know is refused, in its words, and leaves nothing', async () => {
    const up = await lab('up', name, '--driver', 'vm', '--cpu', 'a=Zilog-Z80');
    expect(up.exitCode).not.toBe(0);
    expect(up.stderr).toContain('Zilog-Z80');
    expect(up.stderr).not.toContain('please report');
    expect(existsSync(labDirectory(name))).toBe(false);
  });
});
