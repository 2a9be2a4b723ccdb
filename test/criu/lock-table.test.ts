import { mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { removeNetworkLock } from '../../src/criu/lock-table.ts';
import { mustRunScript } from '../../src/host/shell.ts';
import { namespaceSkipReason, networkNamespace } from '../helpers/network-namespace.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const RUN_ID = 'e58e8c89-cd18-4213-913e-41d0a21492f6';

test.skipIf(namespaceSkipReason !== undefined)(
  'the lock of this criu goes, with the fence; those of other runs stay, twice over',
  async () => {
    await using network = await networkNamespace();
    using directory = temporaryDirectory();
    mkdirSync(directory.at('dump'));
    writeFileSync(
      directory.at('dump', 'dump.log'),
      `(00.000000) CRIU run id = ${RUN_ID}\n(00.000001) Version: 4.2\n`,
    );
    const tables = [
      'CRIU-e58e8c89-cd18-4213-91', // 31 characters with `inet `, as criu cuts it.
      'CRIU-e58e8c89-0000-4213-91',
      'CRIU-4711', // criu before 4.0
      'CRIU-47',
      'criu_flow_r1',
      'mine',
    ];
    const text = tables.map((table) => `add table inet ${table}\n`).join('');
    await mustRunScript(network.host, 'nft -f -', [], { what: 'Adding tables', stdin: text });
    for (const _ of ['once', 'again']) {
      await removeNetworkLock(network.host, directory.at('dump'), 4711, 'criu_flow_r1');
      const { stdout } = await network.host.run(['nft', 'list', 'tables']);
      expect(stdout.trim().split('\n').toSorted()).toEqual([
        'table inet CRIU-47',
        'table inet CRIU-e58e8c89-0000-4213-91',
        'table inet mine',
      ]);
    }
  },
);
