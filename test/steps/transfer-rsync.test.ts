import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import type { StepContext } from '../../src/steps/step.ts';
import { transferRsync } from '../../src/steps/transfer-rsync.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

test('cleaning up removes the copies that a rollback passed over, as the destination could not be reached then', async () => {
  using directory = temporaryDirectory();
  const host = new LocalHost();
  mkdirSync(directory.at('srv', '.criu-flow-attempt-data.staged'), { recursive: true });
  mkdirSync(directory.at('srv', 'data'));
  writeFileSync(directory.at('srv', 'data', 'its-own'), '');
  const context = {
    source: host,
    destination: host,
    attemptId: 'attempt',
    runDirectory: directory.at('run'),
    plan: { files: [{ path: directory.at('srv', 'data') }] },
    state: { committed: false, restoreBegan: false },
  } as unknown as StepContext;
  const onDestination = transferRsync.cleanUps?.find(({ on }) => on === 'destination');
  await onDestination?.run(context);
  expect(existsSync(directory.at('srv', '.criu-flow-attempt-data.staged'))).toBe(false);
  expect(existsSync(directory.at('srv', 'data', 'its-own'))).toBe(true);
});
