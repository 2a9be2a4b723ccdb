import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type CliResult, runCli } from '../helpers/cli.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';
import { paste } from '../helpers/paste.ts';

type Host = 'a' | 'b';

/**
 * Counts into a file that both hosts have, and that never changes its size: a process whose files need not move with it. What it
 * writes is as that of examples/counter.
 */
const COUNT = `import sys, time
numbers = open(sys.argv[1], "r+b", buffering=0)
number = 0
while True:
    number += 1
    numbers.write(b"%d %f\\n" % (number, time.time()))
    time.sleep(0.005)
`;

describe.skipIf(labSkipReason !== undefined)('evacuate', () => {
  let lab: MigrationLab;
  let pids: readonly number[];
  beforeAll(async () => {
    lab = await MigrationLab.up();
    writeFileSync(join(lab.sharedDirectory, 'examples', 'count.py'), COUNT);
  });
  afterAll(() => lab?.down());
  beforeEach(async () => {
    pids = [];
    for (const index of [0, 1, 2]) pids = [...pids, await startCounter(`/shared/evacuate/${index}`)];
  });
  afterEach(async () => {
    await lab.reset();
    await lab.sh('a', 'rm -rf /shared/evacuate');
  });

  /** Counts into a file of a directory. @returns its pid, on `a` */
  const startCounter = async (directory: string): Promise<number> =>
    Number(
      await lab.sh(
        'a',
        `mkdir -p "$1"
        truncate -s 16M "$1/numbers"
        setsid python3 /shared/examples/count.py "$1/numbers" < /dev/null > /dev/null 2>&1 &
        echo $!
        until head -n 1 "$1/numbers" | grep -q '^1 '; do sleep 0.05; done`,
        directory,
      ),
    );
  const evacuate = (...args: readonly string[]): Promise<CliResult> =>
    runCli(['run', ...args, '--lab', lab.lab.name, '--reporter', 'plain']);
  const inputs = (given: readonly number[] = pids): readonly string[] =>
    ['source=a', 'destination=b', ...given.map((pid) => `pids=${pid}`)].flatMap((each) => ['-i', each]);
  const runIds = (): readonly string[] => {
    const runs = join(lab.directory, 'state', 'criu-flow', 'runs');
    return existsSync(runs) ? readdirSync(runs).toSorted() : [];
  };
  /** One copy runs, there, and counts on from where it was: no number is left out, none is there twice. */
  const expectOn = async (host: Host, index: number): Promise<void> => {
    const pid = pids[index] ?? 0;
    expect(await lab.processStart(host, pid), `${index} on ${host}`).not.toBe('');
    expect(await lab.processStart(host === 'a' ? 'b' : 'a', pid), `${index} elsewhere`).toBe('');
    const file = `/shared/evacuate/${index}/numbers`;
    const lines = async (): Promise<number> => Number(await lab.sh(host, 'wc -l < "$1"', file));
    const then = await lines();
    await expect.poll(lines, { timeout: 20_000 }).toBeGreaterThan(then);
    const check = await lab.sh(host, 'python3 /shared/examples/counter/check.py "$1"', file);
    expect(JSON.parse(check), `${index}`).toMatchObject({ missing: 0, repeated: 0 });
  };
  const expectNothingLeft = async (): Promise<void> => {
    for (const name of ['a', 'b']) {
      const left =
        'find /var/lib/criu-flow 2> /dev/null; nft list ruleset; wc -l < /root/.ssh/authorized_keys';
      expect(await lab.sh(name, left), `left on ${name}`).toBe('1');
    }
  };

  test('moves three processes, one after another, and each counts on without a hole', async () => {
    const { exitCode, stdout, stderr } = await evacuate('evacuate', ...inputs());
    expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' });
    const [checked = ''] = stdout.split('phase prepare');
    expect(checked.match(/Checked: both hosts can move /g)).toHaveLength(3);
    expect(stdout).toContain('Evacuate a host: 3 runs have ended well.');
    for (const index of [0, 1, 2]) await expectOn('b', index);
    await expectNothingLeft();
    expect(runIds()).toHaveLength(3);
    for (const id of runIds()) {
      expect(stdout).toContain(`Moved: the workload runs on b (the destination). (run ${id})`);
      expect((await runCli(['status', id])).exitCode).toBe(0);
    }
  });

  test('moves none of them when one cannot move, and says which and why', async () => {
    const before = { a: await lab.traces('a'), b: await lab.traces('b') };
    // Its file is on no other host.
    const fourth = await startCounter('/srv/counter');
    const runs = runIds().length;
    const { exitCode, stdout } = await evacuate('evacuate', ...inputs([...pids, fourth]));
    expect(exitCode, stdout).toBe(4);
    expect(stdout).toMatch(
      new RegExp(
        `run 4 of 4: .*: ${fourth}\\nPreflight would refuse the run \\(1 finding\\).*\\n +FILE_DIFFERS +host: b +The open file /srv/counter/numbers is missing on b`,
      ),
    );
    expect(stdout).toContain('Evacuate a host: refused before anything was touched.');
    expect(runIds()).toHaveLength(runs);
    for (const index of [0, 1, 2]) await expectOn('a', index);
    await lab.sh('a', 'kill -KILL "$1"; rm -rf /srv/counter', String(fourth));
    for (const name of ['a', 'b'] as const) {
      expect(await lab.tracesSettled(name, before[name])).toBe(before[name]);
    }
    const checked = await evacuate('--check', 'evacuate', ...inputs());
    expect(checked.exitCode, checked.stdout).toBe(0);
  });

  test('stops at one that fails: it is rolled back, the next is untouched; the command that is printed goes on', async () => {
    const mended = join(lab.directory, 'mended');
    const move = lab.writeText(`version: 1
name: Move it when a person has mended something
extends: process-rsync
steps:
  - uses: preflight
  - uses: dump
  - uses: transfer/rsync
  - uses: command
    with: { on: local, argv: [test, -e, ${mended}] }
    readOnly: true
  - uses: restore
`);
    const give = "source: '{{ inputs.source }}', destination: '{{ inputs.destination }}'";
    const sequence = lab.writeText(`version: 1
kind: sequence
name: Drain it
inputs: { source: { type: host }, destination: { type: host }, pids: { type: list, items: pid } }
runs:
  - { recipe: process-rsync, inputs: { ${give}, pid: '{{ inputs.pids | first }}' } }
  - { recipe: ${move}, inputs: { ${give}, pid: ${pids[1]} } }
  - { recipe: process-rsync, inputs: { ${give}, pid: '{{ inputs.pids | last }}' } }
`);
    const stopped = await evacuate(sequence, ...inputs());
    expect(stopped.exitCode, stopped.stdout).toBe(5);
    expect(stopped.stdout).toContain('Drain it: stopped at run 2 of 3.');
    expect(stopped.stdout).toContain('Failed and rolled back: the workload runs on a (the source).');
    expect(stopped.stdout).toContain('Not begun: nothing was touched on a.');
    await expectOn('b', 0);
    await expectOn('a', 1);
    await expectOn('a', 2);
    await expectNothingLeft();

    writeFileSync(mended, '');
    const [, command = ''] = /\n {2}(criu-flow run .* --from 2)\n/.exec(stopped.stdout) ?? [];
    const resumed = await paste(command, { XDG_STATE_HOME: join(lab.directory, 'state') });
    expect(resumed.exitCode, `${command}\n${resumed.stdout}${resumed.stderr}`).toBe(0);
    expect(resumed.stdout).toContain('Drain it: 2 runs have ended well.');
    for (const index of [0, 1, 2]) await expectOn('b', index);
    await expectNothingLeft();
  });

  test('^C: the run at work is rolled back, and no other begins', async () => {
    const runs = runIds().length;
    const args = ['run', 'evacuate', ...inputs(), '--lab', lab.lab.name, '--reporter', 'json'];
    let begun = 0;
    let isInterrupted = false;
    const { exitCode, stdout } = await runCli(args, {
      onStdout: (text, kill) => {
        begun += text.match(/"kind":"phase-started","phase":"freeze"/g)?.length ?? 0;
        // A second ^C would leave it as it stands.
        if (begun === 2 && !isInterrupted) {
          isInterrupted = true;
          kill('SIGINT');
        }
      },
    });
    expect(exitCode, stdout).toBe(130);
    const events: readonly { readonly kind: string; readonly summary?: object }[] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.at(-1)).toMatchObject({
      kind: 'sequence-finished',
      summary: {
        outcome: 'stopped',
        exitCode: 130,
        runs: [
          { state: 'ended', summary: { outcome: 'done' } },
          { state: 'ended', summary: { outcome: 'rolled-back' } },
          { state: 'not-begun' },
        ],
        goOn: {
          run: 2,
          workload: 'not-moved',
          again: expect.stringMatching(/^criu-flow run evacuate .* --from 2$/),
        },
      },
    });
    expect(runIds()).toHaveLength(runs + 2);
    await expectOn('b', 0);
    await expectOn('a', 1);
    await expectOn('a', 2);
    await expectNothingLeft();
  });
});
