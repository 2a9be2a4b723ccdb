import { existsSync, mkdirSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeControlDirectory } from '../../src/host/control-directory.ts';
import { readPidNamespace, startTicksOf } from '../../src/host/process-identity.ts';
import { startProgram } from '../helpers/started-program.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

const before = process.env['TMPDIR'];
let place: TemporaryDirectory;
beforeEach(() => {
  place = temporaryDirectory();
  process.env['TMPDIR'] = place.path;
});
afterEach(() => {
  if (before === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = before;
  place[Symbol.dispose]();
});

/** As a process names it. */
function nameOf(pid: number, startTicks: number, namespace = readPidNamespace()): string {
  return `cf-${[pid, startTicks, namespace].map((number) => number.toString(36)).join('-')}-AbC123`;
}

function make(name: string, mode = 0o700): string {
  mkdirSync(place.at(name), { mode });
  return place.at(name);
}

test('is private, and short enough for a socket', async () => {
  const path = await makeControlDirectory();
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(basename(path).length).toBeLessThan(40);
});

test('those of processes that are gone are swept, and no other', async () => {
  await using program = await startProgram('cat');
  const start = startTicksOf(program.pid) ?? 0;
  const alive = make(nameOf(program.pid, start));
  const another = make(nameOf(program.pid, start - 1));
  const elsewhere = make(nameOf(program.pid, start - 1, 7));
  const open = make(nameOf(program.pid, start - 2), 0o755);
  const strange = make('cf-AbC123');
  await makeControlDirectory();
  expect([alive, another, elsewhere, open, strange].map((path) => existsSync(path))).toEqual([
    true,
    false,
    true,
    true,
    true,
  ]);
});
