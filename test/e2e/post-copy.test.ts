import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../helpers/cli.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';
import { paste } from '../helpers/paste.ts';
import { expectWritten, startWriterOn } from '../helpers/writer.ts';

const STEPS =
  '- uses: preflight\n- { uses: dump, with: { strategy: post-copy } }\n- uses: transfer/rsync\n- uses: restore';

/**
 * Has two children that have memory of their own, as it has itself; and forks, over and over, one that looks at some pages of it and ends.
 * Says with `/srv/writer/ask` there how many pages were ever wrong.
 */
const FORKER = `
import mmap, os, struct, time
PAGES = 32 * 256
def make(name):
    memory = mmap.mmap(-1, PAGES * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(PAGES): struct.pack_into('<QQ', memory, page * 4096, page, name)
    return memory
def wrong_in(memory, name, first, step):
    return sum(struct.unpack_from('<QQ', memory, page * 4096) != (page, name) for page in range(first, PAGES, step))
def note(wrong):
    with open('/srv/writer/wrong', 'a') as file: file.write(f'{wrong}\\n')
for name in (1, 2):
    if os.fork() == 0:
        memory = make(name)
        open(f'/srv/writer/child-{name}', 'w').close()
        while not os.path.exists('/srv/writer/ask'): time.sleep(0.01)
        wrong = wrong_in(memory, name, 0, 1)
        if wrong: note(wrong)
        os.rename(f'/srv/writer/child-{name}', f'/srv/writer/looked-{name}')
        while True: time.sleep(1)
memory = make(0)
open('/srv/writer/pid', 'w').write(str(os.getpid()))
turn = 0
while not os.path.exists('/srv/writer/looked-1') or not os.path.exists('/srv/writer/looked-2'):
    turn += 1
    child = os.fork()
    if child == 0:
        wrong = wrong_in(memory, 0, turn % 64, 64)
        if wrong: note(wrong)
        os._exit(0)
    os.waitpid(child, 0)
    time.sleep(0.005)
wrong = wrong_in(memory, 0, 0, 1)
if wrong: note(wrong)
open('/srv/writer/answer', 'w').write('looked')
while True: time.sleep(1)
`;

describe.skipIf(labSkipReason !== undefined)('strategy: post-copy', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up();
  });
  afterAll(() => lab?.down());
  afterEach(() => lab.reset());

  const run = (recipe: string): ReturnType<typeof runCli> =>
    runCli(['run', recipe, '--lab', lab.lab.name, '--reporter', 'plain']);

  test('is refused where criu could not serve the memory, with a command that mends it', async () => {
    await lab.sh('a', 'sysctl -q -w fs.pipe-max-size=1048576');
    const pid = await startWriterOn(lab, 4, 1, 4);
    const refused = await run(lab.writeRecipe({ workload: `pid: ${pid}`, steps: STEPS }));
    expect(refused.exitCode).toBe(4);
    expect(refused.stdout).toContain('A pipe on a may have 1048576 bytes at most');
    const command = /run: (ssh .*pipe-max-size.*)/.exec(refused.stdout)?.[1] ?? '';
    expect(await paste(command)).toMatchObject({ exitCode: 0 });
    expect(await lab.sh('a', 'cat /proc/sys/fs/pipe-max-size')).toBe('4194304');
    await expectWritten(lab, 'a');
  });

  test('keeps no images that would lack the memory', async () => {
    const recipe = lab.writeRecipe({ workload: 'pid: 1', steps: STEPS });
    expect(await runCli(['run', recipe, '--lab', lab.lab.name, '--keep-images'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('has most of its memory in none'),
    });
  });

  test('takes a process that writes to its memory there and back', async () => {
    const pid = await startWriterOn(lab, 64, 8, 20);
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      await lab.sh(to, 'rm -f /srv/writer/pid');
      const summary = await lab.run({ workload: `pid: ${pid}`, steps: STEPS, from, to });
      expect(summary, JSON.stringify(summary.failure)).toMatchObject({
        exitCode: 0,
        fetchMs: expect.any(Number),
      });
      // Next to nothing of the memory was in the pause.
      expect(summary.imageBytes).toBeLessThan(4 * 1024 ** 2);
      expect(await lab.processStart(from, pid)).toBe('');
      await expectWritten(lab, to);
    }
  });

  test('takes processes that fork while their memory is fetched', async () => {
    for (const host of ['a', 'b']) await lab.sh(host, 'rm -rf /srv/writer; mkdir -p /srv/writer');
    const pid = await lab.sh(
      'a',
      `printf %s "$1" > /shared/examples/forker.py
      cd /
      setsid python3 /shared/examples/forker.py < /dev/null > /dev/null 2>&1 &
      until [ -s /srv/writer/pid ] && [ -e /srv/writer/child-1 ] && [ -e /srv/writer/child-2 ]; do sleep 0.05; done
      cat /srv/writer/pid`,
      FORKER,
    );
    await lab.sh('b', 'touch /srv/writer/child-1 /srv/writer/child-2');
    const summary = await lab.run({ workload: `pid: ${pid}`, steps: STEPS });
    expect(summary, JSON.stringify(summary.failure)).toMatchObject({ exitCode: 0 });
    const looked =
      "touch /srv/writer/ask; timeout 120 sh -c 'until [ -s /srv/writer/answer ]; do sleep 0.1; done'";
    expect(await lab.sh('b', `${looked}; cat /srv/writer/wrong /srv/writer/answer 2> /dev/null || :`)).toBe(
      'looked',
    );
  });
});
