import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { commandOn } from '../../src/host/command-on.ts';
import { connectHost } from '../../src/host/connect.ts';
import { sshdSkipReason, startSshd } from '../helpers/sshd.ts';

/** What no shell may read as anything but text. */
const HOSTILE = ["it's", '$(touch /tmp/x)', '`id`', 'a  b', '*', '-n', '"', '\\', '; exit 3', '#'];

/** Pastes a command into a shell of this machine. */
const paste = (command: string): { readonly status: number | null; readonly stdout: string } =>
  spawnSync('sh', ['-c', command], { encoding: 'utf8' });

test('on this machine it needs no ssh', () => {
  expect(commandOn({ name: 'local' }, ['kill', '-KILL', '4711'])).toBe('kill -KILL 4711');
  expect(paste(commandOn({ name: 'local' }, ['printf', '%s\\n', ...HOSTILE])).stdout).toBe(
    `${HOSTILE.join('\n')}\n`,
  );
});

test('a host is reached as criu-flow reaches it', () => {
  const argv = ['df', '-h', '/srv'];
  expect(commandOn({ name: 'root@a' }, argv)).toBe("ssh -- root@a 'df -h /srv'");
  expect(commandOn({ name: 'a', sshConfigFile: '/tmp/my config' }, argv)).toBe(
    "ssh -F '/tmp/my config' -- a 'df -h /srv'",
  );
  expect(commandOn({ name: 'a' }, ['systemctl', 'edit', 'x'], { terminal: true })).toBe(
    "ssh -t -- a 'systemctl edit x'",
  );
});

describe.skipIf(sshdSkipReason !== undefined)('by a real ssh', () => {
  test('the program gets exactly these arguments, by a configuration whose name has a space', async () => {
    const sshd = await startSshd();
    try {
      const host = await connectHost('lab', {
        sshConfigFile: await sshd.writeConfig("it's a config", {}),
        controlDirectory: sshd.controlDirectory,
      });
      const command = commandOn(host, ['printf', '%s\\n', ...HOSTILE]);
      await host.close();
      expect(paste(command)).toMatchObject({ status: 0, stdout: `${HOSTILE.join('\n')}\n` });
    } finally {
      await sshd.close();
    }
  });
});
