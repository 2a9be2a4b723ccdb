import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../helpers/cli.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

/**
 * Counts in a page that it has mapped shared, and in its own memory: the two must agree. Most of its stores give the file no new
 * time, since the page is dirty already.
 */
const PROGRAM = `
import mmap, os, struct, sys, time
path = sys.argv[1]
with open(path, "wb") as out: out.write(bytes(4096))
file = os.open(path, os.O_RDWR)
page = mmap.mmap(file, 4096)
number = 0
while True:
    found = struct.unpack_from("<q", page, 0)[0]
    if found != number:
        with open("/srv/disagree", "w") as out: out.write(f"{found} is mapped, {number} in memory")
        sys.exit(1)
    number += 1
    struct.pack_into("<q", page, 0, number)
    time.sleep(0.001)
`;

describe.skipIf(labSkipReason !== undefined)('files that the workload writes by its memory alone', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up();
  });
  afterAll(() => lab?.down());
  afterEach(() => lab.reset());

  const start = async (path: string): Promise<number> => {
    const pid = await lab.sh(
      'a',
      `mkdir -p /srv/mapped "/srv/mapped/a name"
      printf '%s' "$1" > /srv/program.py
      setsid python3 /srv/program.py "$2" < /dev/null > /dev/null 2>&1 &
      echo $!
      until [ "$(od -An -t d8 -N 8 "$2")" -gt 0 ] 2> /dev/null; do sleep 0.05; done`,
      PROGRAM,
      path,
    );
    await lab.sh('b', 'mkdir -p /srv');
    return Number(pid);
  };
  const numberOn = async (host: string, path: string): Promise<number> =>
    Number(await lab.sh(host, 'od -An -t d8 -N 8 "$1"', path));

  test.each([
    ['in a directory', '/srv/mapped/a name/page', '/srv/mapped'],
    ['named itself', '/srv/page', '/srv/page'],
  ])('%s, it is on the destination as the memory knows it', async (_, path, files) => {
    const pid = await start(path);
    const before = await numberOn('a', path);
    const moved = await lab.run({
      workload: `pid: ${pid}`,
      files: [files],
      steps: '- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore',
    });
    expect(moved).toMatchObject({ outcome: 'done', workloadIsOn: 'destination' });
    const number = await numberOn('b', path);
    expect(number).toBeGreaterThan(before);
    await lab.sh(
      'b',
      'until [ "$(od -An -t d8 -N 8 "$1")" -gt "$2" ]; do sleep 0.05; done',
      path,
      String(number + 100),
    );
    expect(await lab.sh('b', 'cat /srv/disagree 2> /dev/null || :')).toBe('');
    expect(await lab.processStart('b', pid)).not.toBe('');
    await lab.sh('b', 'kill -KILL "$1"', String(pid));
  });

  test('a checkpoint has it as the memory knows it, too', async () => {
    const path = '/srv/mapped/page';
    const pid = await start(path);
    await lab.sh('a', 'echo "$1" > /srv/pid', String(pid));
    const recipe = (base: string): string =>
      lab.writeText(`version: 1\nname: with files\nextends: ${base}\nfiles: [{ path: /srv/mapped }]\n`);
    const run = async (base: string, ...inputs: readonly string[]): Promise<void> => {
      const given = inputs.flatMap((input) => ['-i', input]);
      const ended = await runCli([
        'run',
        recipe(base),
        ...given,
        '--lab',
        lab.lab.name,
        '--reporter',
        'plain',
      ]);
      expect(ended.exitCode, ended.stdout + ended.stderr).toBe(0);
    };
    await run('checkpoint-and-keep-running', 'host=a', 'pidFile=/srv/pid', 'series=page');
    await lab.sh('a', 'kill -KILL "$1"; while [ -d "/proc/$1" ]; do sleep 0.05; done', String(pid));
    await run('restore-from-checkpoint', 'host=a', 'series=page');
    const number = await numberOn('a', path);
    await lab.sh(
      'a',
      'until [ "$(od -An -t d8 -N 8 "$1")" -gt "$2" ]; do sleep 0.05; done',
      path,
      String(number + 100),
    );
    expect(await lab.sh('a', 'cat /srv/disagree 2> /dev/null || :')).toBe('');
    expect(await lab.processStart('a', pid)).not.toBe('');
    await lab.sh('a', 'kill -KILL "$1"; rm -rf /var/lib/criu-flow/checkpoints', String(pid));
  });
});
