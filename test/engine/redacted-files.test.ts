import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Redactor } from '../../src/engine/redactor.ts';
import { StepRunner } from '../../src/engine/step-runner.ts';
import { LocalHost } from '../../src/host/local.ts';
import { RunDirectory } from '../../src/store/run-directory.ts';
import { fakePrograms } from '../helpers/fake-programs.ts';
import { planWith } from '../helpers/plan.ts';
import { rootedHost } from '../helpers/rooted-host.ts';
import { startProgram } from '../helpers/started-program.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const SECRET = 'hunter2-hunter2';

/** A criu that fails, with a secret in its log. */
const CRIU = `while [ $# -gt 0 ]; do
  [ "$1" != --work-dir ] || echo "(00.1) Error (criu/x.c:1): no file /srv/${SECRET}" > "$2/dump.log"
  shift
done
exit 1`;

test('a secret in the command line of the workload, or in a log of criu, is in no file of the run', async () => {
  using directory = temporaryDirectory();
  using programs = fakePrograms({ criu: CRIU });
  await using workload = await startProgram('sh', '-c', 'read -r line; echo "$line"; read -r line', SECRET);
  const plan = planWith({
    workload: { kind: 'pid', pid: workload.pid },
    steps: [
      { uses: 'prepare', id: 'prepare', title: 'Prepare', rollback: [] },
      { uses: 'dump', id: '1-dump', title: 'Dump', rollback: [] },
    ],
  });
  const run = RunDirectory.create('r1', plan, {}, { XDG_STATE_HOME: directory.at('state') });
  const runner = new StepRunner({
    plan,
    runId: 'r1',
    epoch: 1,
    connection: {
      source: rootedHost('a', directory.at('a'), programs.host),
      destination: rootedHost('b', directory.at('b')),
      local: new LocalHost(),
      lost: {},
      close: async () => undefined,
    },
    emit: () => undefined,
    directory: run,
    signal: new AbortController().signal,
    secrets: new Map([['password', SECRET]]),
    redactor: new Redactor([SECRET]),
  });
  expect(await runner.run()).toMatchObject({ failure: { code: 'DUMP_FAILED' }, undoFailures: [] });
  const files = readdirSync(run.path).map((name) => [name, readFileSync(`${run.path}/${name}`, 'utf8')]);
  const texts = Object.fromEntries(files) as Readonly<Record<string, string>>;
  expect(texts['dump.log']).toContain('no file /srv/***');
  expect(texts['journal.jsonl']).toContain('read -r line ***');
  expect(Object.values(texts).filter((text) => text.includes(SECRET))).toEqual([]);
});
