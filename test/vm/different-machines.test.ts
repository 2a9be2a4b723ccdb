import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RunSummary } from '../../src/events/event.ts';
import { settleIn } from '../faults/power-faults.ts';
import { machinesSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

describe.skipIf(machinesSkipReason !== undefined)('machines that differ', () => {
  let lab: MigrationLab;
  // The disk of another release is built once, and its machine boots from it.
  beforeAll(async () => {
    lab = await MigrationLab.up({
      driver: 'vm',
      machines: { b: { release: 'bookworm', cpu: 'Nehalem' }, c: { cpu: 'max,-avx2' } },
    });
    for (const host of ['a', 'b'] as const) await settleIn(lab, host);
  }, 15 * 60_000);
  afterAll(() => lab.down());
  afterEach(() => lab.reset());

  const startSleep = async (host: string): Promise<number> =>
    Number(await lab.sh(host, 'setsid sleep 4711 < /dev/null > /dev/null 2>&1 & echo $!'));

  const move = (pid: number, from: string, to: string): Promise<RunSummary> =>
    lab.run({
      workload: `pid: ${pid}`,
      steps: '- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore',
      from,
      to,
    });

  async function refusal(pid: number, from: string, to: string): Promise<string> {
    const { failure, ...summary } = await move(pid, from, to);
    expect(summary, JSON.stringify(failure)).toMatchObject({ outcome: 'refused', exitCode: 4 });
    expect(await lab.processStart(from, pid)).not.toBe('');
    return `${failure?.message}\n${failure?.hint}`;
  }

  test('an older criu, other libraries and a processor that can less are all told of at once', async () => {
    const said = await refusal(await startSleep('a'), 'a', 'b');
    expect(said).toMatch(/criu 3\.17\S* on b is older than criu 4\S* on a/);
    expect(said).toMatch(/The processor of b \(Intel Core i7 9xx .* lacks .*\bpclmulqdq\b.*SIGILL: Error /);
    expect(said).toMatch(/The program or library \S+ has \d+ bytes on b and \d+ on the source/);
  });

  test('the other way, a later criu is fine, and a processor with more registers is not', async () => {
    const said = await refusal(await startSleep('b'), 'b', 'a');
    expect(said).toContain('The program or library');
    expect(said).toMatch(/The processor of a .* saves other registers than that of b .*xsave size mismatch/);
    expect(said).not.toContain('criu 4');
  });

  test('the same system on a processor that lacks an instruction is refused, on one that has one more it goes on', async () => {
    const onLesser = await startSleep('a');
    const said = await refusal(onLesser, 'a', 'c');
    expect(said).toMatch(
      /^Preflight refused the run: The processor of c .* lacks avx2; .* capabilities do not match/,
    );
    const pid = await startSleep('c');
    expect(await move(pid, 'c', 'a')).toMatchObject({ exitCode: 0 });
    expect(await lab.processStart('a', pid)).not.toBe('');
  });

  test('a host without nft is told of, with the command that brings it', async () => {
    await lab.sh('c', 'mv /usr/sbin/nft /usr/sbin/nft.away');
    try {
      const pid = await startSleep('c');
      const { failure, outcome } = await move(pid, 'c', 'a');
      expect(outcome).toBe('refused');
      expect(failure).toMatchObject({
        message: 'Preflight refused the run: c lacks nft [TOOLS_MISSING]',
        command: expect.stringMatching(/^ssh .* c 'apt-get install -y nftables'$/),
      });
    } finally {
      await lab.sh('c', 'mv /usr/sbin/nft.away /usr/sbin/nft');
    }
  });
});
