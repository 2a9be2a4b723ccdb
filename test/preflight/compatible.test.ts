import { expect, test } from 'vitest';
import { compatibilityFindings } from '../../src/preflight/compatible.ts';
import { fakePrograms } from '../helpers/fake-programs.ts';

interface Side {
  readonly id?: string;
  readonly version?: string;
  readonly flags?: string;
  /** What `criu cpuinfo check` does there with what was dumped on the source. */
  readonly check?: string;
}

/** A fake criu on each side, whose `cpuinfo dump` writes `processor`, and the names that the kernel has for what a processor can. */
function side({ id = 'echo 0', version = '4.1.1', flags = 'fpu avx2', check = ':' }: Side) {
  return fakePrograms({
    id,
    criu: `case "$*" in
      --version) echo "Version: ${version}" ;;
      'cpuinfo dump --images-dir '*) echo processor > "$4/cpuinfo.img" ;;
      'cpuinfo check --cpu-cap=fpu,ins --images-dir '*) [ "$(cat "$5/cpuinfo.img")" = processor ] || exit 9; ${check} ;;
      *) exit 8 ;;
    esac`,
    sed: `case "$2" in
      *model*) echo "model Fake 9000" ;;
      *flags*) echo "flags ${flags}" ;;
      *) exec /usr/bin/sed "$@" ;;
    esac`,
  });
}

const find = async (source: Side, destination: Side) => {
  using from = side(source);
  using to = side(destination);
  return await compatibilityFindings({ ...from.host, name: 'a' }, { ...to.host, name: 'b' });
};

test('two hosts that are the same are fine', async () => {
  expect(await find({}, {})).toEqual([]);
});

test.each([
  ['3.17.1', '4.1.1', false],
  ['4.2', '4.1.1', true],
  ['4.10', '4.9', true],
  ['4.1.2', '4.1.1', false],
  ['4.2.1', '5.0', false],
])('criu %s on the source, %s on the destination: refused is %s', async (from, to, isRefused) => {
  const found = await find({ version: from }, { version: to });
  expect(found).toMatchObject(
    isRefused
      ? [{ host: 'b', message: expect.stringContaining(`criu ${to} on b is older than criu ${from} on a`) }]
      : [],
  );
});

const MISMATCH = 'echo "Error (x.c:1): cpu: CPU instruction capabilities do not match run time" >&2; exit 1';

test('what the processor of the destination lacks is named, with criu’s own line', async () => {
  expect(
    await find({ flags: 'fpu constant_tsc avx avx2 sse4_2' }, { flags: 'fpu sse4_2', check: MISMATCH }),
  ).toEqual([
    {
      code: 'CPU_DIFFERS',
      host: 'b',
      message:
        'The processor of b (Fake 9000) lacks avx, avx2; a program that has found them on a (Fake 9000) would be ended by SIGILL: Error (x.c:1): cpu: CPU instruction capabilities do not match run time',
      remedy: expect.stringContaining('CPU model'),
      command: 'ssh -- b lscpu',
    },
  ]);
});

test('of many instructions a few are named; where there are more of them, it is the registers that differ', async () => {
  const flags = Array.from({ length: 11 }, (_, index) => `avx512_${index}`).join(' ');
  expect((await find({ flags }, { flags: '', check: MISMATCH }))[0]?.message).toContain(
    'lacks avx512_0, avx512_1, avx512_2, avx512_3, avx512_4, avx512_5, avx512_6, avx512_7, and 3 more;',
  );
  expect((await find({}, { check: MISMATCH }))[0]?.message).toContain('is not that of a (Fake 9000): Error');
  const larger = 'echo "Error (x.c:2): cpu: CPU xsave size mismatch (832/2696)" >&2; exit 1';
  expect((await find({}, { flags: 'fpu avx2 avx512f', check: larger }))[0]?.message).toMatch(
    /^The processor of b \(Fake 9000\) saves other registers than that of a \(Fake 9000\), for which/,
  );
});

test('who is not root does not know: another finding says so', async () => {
  expect(await find({ id: 'echo 1000' }, { check: MISMATCH })).toEqual([]);
  expect(await find({ version: '9.9' }, { id: 'echo 1000', check: MISMATCH })).toEqual([]);
});
