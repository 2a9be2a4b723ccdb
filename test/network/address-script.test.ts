import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mustRunScript, runScript } from '../../src/host/shell.ts';
import {
  ADDRESS_BACK_SCRIPT,
  ADDRESS_OFF_SCRIPT,
  HOLD_OVER,
  ADDRESS_REMOVE_SCRIPT,
} from '../../src/network/address-script.ts';
import { type FakePrograms, fakePrograms } from '../helpers/fake-programs.ts';
import {
  type NetworkNamespace,
  namespaceSkipReason,
  networkNamespace,
} from '../helpers/network-namespace.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

describe.skipIf(namespaceSkipReason !== undefined)(
  `the service address${namespaceSkipReason === undefined ? '' : ` (skipped: ${namespaceSkipReason})`}`,
  () => {
    const cidr = '10.0.0.9/24';
    let hold: TemporaryDirectory;
    let programs: FakePrograms;
    let network: NetworkNamespace;
    beforeEach(async () => {
      hold = temporaryDirectory();
      // Writes down what it was asked: at the end of this cable there is nobody to tell.
      programs = fakePrograms({ arping: `echo "$@" > '${hold.at('announced')}'` });
      network = await networkNamespace(programs.host);
      await act(
        'ip link add srv type veth peer name other && ip link set srv up && ip address add "$1" dev srv',
        cidr,
      );
    });
    afterEach(async () => {
      await network[Symbol.asyncDispose]();
      programs[Symbol.dispose]();
      hold[Symbol.dispose]();
    });

    const act = (script: string, ...args: readonly string[]) => runScript(network.host, script, args);
    const address = async (): Promise<string> =>
      (await act("ip -o -4 address show dev srv | awk '{ print $4 }'")).stdout.trim();
    const off = () => act(ADDRESS_OFF_SCRIPT, hold.path, cidr, 'srv', ADDRESS_BACK_SCRIPT);

    test('leaves the source, and is brought back by what is on the disk there', async () => {
      expect(await off()).toMatchObject({ exitCode: 0 });
      expect(await address()).toBe('');
      for (const _ of ['the hold, when its lease is over', 'the rollback']) {
        await mustRunScript(network.host, 'cd "$1" && sh ./on-abort', [hold.path], { what: 'Aborting' });
        expect(await address()).toBe(cidr);
      }
      await expect
        .poll(() => readFileSync(hold.at('announced'), 'utf8'), { timeout: 5000 })
        .toBe('-q -U -c 3 -w 3 -I srv 10.0.0.9\n');
    });

    test('stays when the hold was aborted before: the workload runs on', async () => {
      writeFileSync(hold.at('decision'), 'abort lease\n');
      expect(await off()).toMatchObject({ exitCode: HOLD_OVER });
      expect(await address()).toBe(cidr);
    });

    test('can be taken off the destination twice', async () => {
      for (const _ of ['once', 'again']) {
        expect(await act(ADDRESS_REMOVE_SCRIPT, cidr, 'srv')).toMatchObject({ exitCode: 0, stderr: '' });
        expect(await address()).toBe('');
      }
    });
  },
);
