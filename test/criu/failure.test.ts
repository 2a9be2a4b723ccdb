import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { beforeEach, afterEach, expect, test } from 'vitest';
import { criuFailure } from '../../src/criu/failure.ts';
import { type CriuHold, describeEnd, type HoldEnd } from '../../src/criu/hold.ts';
import { LocalHost } from '../../src/host/local.ts';
import { heldByFakeCriu } from '../helpers/fake-criu.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

let directory: TemporaryDirectory;
let hold: CriuHold;
beforeEach(async () => {
  directory = temporaryDirectory();
  writeFileSync(directory.at('core-1.img'), '');
  hold = await heldByFakeCriu(new LocalHost(), directory.path);
  await hold.decide('abort');
});
afterEach(() => directory[Symbol.dispose]());

const exited: HoldEnd = { kind: 'exited', exitCode: 1 };
const failure = async (end: HoldEnd = exited): Promise<{ error: unknown; kept: [string, string][] }> => {
  const kept: [string, string][] = [];
  const error = await criuFailure('RESTORE_FAILED', hold, 'restore', describeEnd(end), (...file) =>
    kept.push(file),
  );
  return { error, kept };
};

test('has CRIU’s own reason, what to do about it, and the log is kept with the run', async () => {
  const log = [
    '(00.001305) Warn  (criu/kerndat.c:1): something harmless',
    "(00.004112)   3047: Error (criu/files-reg.c:2143): Can't open file srv/file on restore: No such file or directory",
    '(00.004200) Error (criu/cr-restore.c:2536): Restoring FAILED.\n',
  ].join('\n');
  writeFileSync(directory.at('hold', 'restore.log'), log);
  const { error, kept } = await failure();
  expect(error).toMatchObject({
    code: 'RESTORE_FAILED',
    host: 'local',
    message: 'criu restore on local ended with exit code 1',
    evidence: "Error (criu/files-reg.c:2143): Can't open file srv/file on restore: No such file or directory",
    hint: expect.stringContaining('/srv/file'),
  });
  expect(kept).toEqual([['restore.log', log]]);
});

test('has criu’s last words when there is no log: it may not even have begun', async () => {
  mkdirSync(directory.at('hold', 'process'), { recursive: true });
  appendFileSync(directory.at('hold', 'process', 'stderr'), 'usage: …\ncriu: unknown option\n');
  const { error } = await failure({ kind: 'lost' });
  expect(error).toMatchObject({
    message: 'criu restore on local was killed',
    evidence: 'criu: unknown option',
    hint: undefined,
  });
});

test('says where it looked when criu said nothing', async () => {
  const { error } = await failure();
  expect(error).toMatchObject({ evidence: `nothing in ${directory.at('hold', 'restore.log')}` });
});
