import { once } from 'node:events';
import { appendFile, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Detour, openDetour } from '../../src/host/ssh-detour.ts';
import { sshdSkipReason, startSshd, type TestSshd } from '../helpers/sshd.ts';

describe.skipIf(sshdSkipReason !== undefined)(
  `a detour${sshdSkipReason === undefined ? '' : ` (skipped: ${sshdSkipReason})`}`,
  () => {
    let from: TestSshd;
    let to: TestSshd;
    beforeAll(async () => {
      [from, to] = await Promise.all([startSshd(), startSshd()]);
    });
    afterAll(async () => {
      await from?.close();
      await to?.close();
    });
    const open = (fromConfig = from.configFile, toConfig = to.configFile): Promise<Detour> =>
      openDetour({ name: 'lab', sshConfigFile: fromConfig }, { name: 'lab', sshConfigFile: toConfig });

    /** What the sshd at the end of it says first. */
    const knock = async (port: number): Promise<string> => {
      const socket = connect(port, '127.0.0.1');
      const [banner] = await once(socket, 'data');
      socket.destroy();
      return String(banner);
    };

    test('leads to the sshd of the other host, for many at a time, until it is closed', async () => {
      const detour = await open();
      const banners = await Promise.all([knock(detour.port), knock(detour.port), knock(detour.port)]);
      for (const banner of banners) expect(banner).toMatch(/^SSH-2\.0-/);
      await detour.close();
      await expect(knock(detour.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await detour.close();
    });

    test('opens no forwarding of the user’s own', async () => {
      const config = await from.writeConfig('forwarding', { LocalForward: `1 127.0.0.1:${from.port}` });
      const detour = await open(config);
      await expect(knock(1)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await detour.close();
    });

    test('goes over the jump hosts of the other host', async () => {
      const config = await to.writeConfig('jump', { ProxyJump: 'gate' });
      const gate = (await readFile(to.configFile, 'utf8')).replace('Host lab', 'Host gate');
      await appendFile(config, gate);
      const detour = await open(undefined, config);
      expect(await knock(detour.port)).toMatch(/^SSH-2\.0-/);
      await detour.close();
    });

    test('is refused where it cannot be', async () => {
      const nobody = await to.writeConfig('nobody', { Port: '1' });
      await expect(open(undefined, nobody)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      const proxy = await to.writeConfig('proxy', { ProxyCommand: 'true' });
      await expect(open(undefined, proxy)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
      const strict = await startSshd(['AllowTcpForwarding local']);
      await expect(open(strict.configFile)).rejects.toMatchObject({
        code: 'TRANSFER_FAILED',
        message: 'sshd on lab does not forward ports',
      });
      await strict.close();
    });
  },
);
