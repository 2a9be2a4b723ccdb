import { expect, test } from 'vitest';
import { hostFindings, trackingFindings } from '../../src/preflight/host.ts';
import { fakePrograms } from '../helpers/fake-programs.ts';

/** A host on which everything is as it should be. */
const GOOD = {
  id: 'echo 0',
  criu: 'echo "Looks good."',
  rsync: 'echo "rsync  version 3.2.7"; echo "    zstd lz4 zlibx"',
  nft: ':',
};

const find = async (programs: Partial<typeof GOOD>, tools: readonly string[] = ['criu', 'nft', 'rsync']) => {
  using fakes = fakePrograms({ ...GOOD, ...programs });
  return await hostFindings(fakes.host, tools);
};

test('a host with all of it is fine', async () => {
  expect(await find({})).toEqual([]);
});

test('one finding names all tools that are missing, and one command brings them', async () => {
  const found = await find({}, ['criu', 'no-such-tool', 'no-such-other']);
  expect(found).toMatchObject([
    {
      message: 'local lacks no-such-tool, no-such-other',
      command: 'apt-get install -y no-such-tool no-such-other',
    },
  ]);
});

test('somebody who is not root is told so, and not that criu fails without root', async () => {
  const found = await find({ id: 'echo 1000', criu: 'echo "Error: not root" >&2; exit 1' });
  expect(found.map((finding) => finding.message)).toEqual(['criu-flow is not root on local (uid 1000)']);
});

test('a criu that does not work on this kernel is told in its own words', async () => {
  const criu =
    'echo "Warn  (x): harmless" >&2; echo "Error (criu/vdso.c:1): vdso: Unexpected rt vDSO area bounds" >&2; echo last; exit 1';
  expect(await find({ criu })).toMatchObject([
    {
      message:
        'criu does not work on the kernel of local: Error (criu/vdso.c:1): vdso: Unexpected rt vDSO area bounds',
    },
  ]);
});

test('an rsync that cannot compress with lz4 is too old', async () => {
  expect(await find({ rsync: 'echo "rsync  version 3.1.3  protocol 31"' })).toMatchObject([
    { message: 'rsync on local cannot compress with lz4: rsync  version 3.1.3  protocol 31' },
  ]);
});

test('a kernel that does not track what memory is written to is named, with what else is quick', async () => {
  const criu = '[ "$*" != "check --feature mem_dirty_track" ] || exit 1';
  for (const [id, expected] of [
    ['echo 0', [{ message: expect.stringContaining('CONFIG_MEM_SOFT_DIRTY'), host: 'local' }]],
    // Who may not ask, does not know: another finding says so.
    ['echo 1000', []],
  ] as const) {
    using fakes = fakePrograms({ ...GOOD, criu, id });
    expect(await trackingFindings(fakes.host)).toMatchObject(expected);
  }
  using fakes = fakePrograms(GOOD);
  expect(await trackingFindings(fakes.host)).toEqual([]);
});
