import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CriuHold, type HoldOptions } from '../../src/criu/hold.ts';
import { LocalHost } from '../../src/host/local.ts';
import { workloadState } from '../../src/workload/identity.ts';

/**
 * Stands in for criu: it runs the action script as criu does (stdin closed, one action after the other), ends with 0
 * when the script at the point of return does, with 255 otherwise. The real criu is held in test/e2e.
 */
const FAKE_CRIU = `
export CRTOOLS_IMAGE_DIR="$2"
CRTOOLS_SCRIPT_ACTION=pre-dump "$1" <&- || exit 1
CRTOOLS_SCRIPT_ACTION=post-dump "$1" <&- || exit 255
CRTOOLS_SCRIPT_ACTION=post-resume "$1" <&-
exit 0
`;

describe('a hold', () => {
  const host = new LocalHost();
  const signal = new AbortController().signal;
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'criu-flow-hold-'));
    writeFileSync(join(directory, 'pages-1.img'), 'x'.repeat(1000));
    writeFileSync(join(directory, 'core-1.img'), 'x'.repeat(24));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));

  const prepare = (options: HoldOptions = {}, script: string = FAKE_CRIU): Promise<CriuHold> =>
    CriuHold.prepare(host, join(directory, 'hold'), options, ({ actionScript }) => [
      ...['sh', '-c', script, 'criu', actionScript, directory],
    ]);

  test('holds at the point of return, and says how large the images are', async () => {
    const hold = await prepare();
    expect(await hold.start(signal)).toEqual({
      kind: 'held',
      imageBytes: 1024,
      criuMs: expect.any(Number),
      tasks: [],
    });
    await hold.decide('abort');
  });

  test('a commit lets criu end its work', async () => {
    const hold = await prepare();
    await hold.start(signal);
    expect(await hold.decide('commit')).toEqual({ decision: 'commit', end: { kind: 'exited', exitCode: 0 } });
  });

  test('an abort makes criu take everything back', async () => {
    const hold = await prepare();
    await hold.start(signal);
    expect(await hold.decide('abort')).toEqual({ decision: 'abort', end: { kind: 'exited', exitCode: 255 } });
  });

  test('the first decision counts, also for who decides later', async () => {
    const hold = await prepare();
    await hold.start(signal);
    await hold.decide('commit');
    expect(await hold.decide('abort')).toEqual({ decision: 'commit', end: { kind: 'exited', exitCode: 0 } });
  });

  test('a decision before criu reaches its point of return is not lost', async () => {
    const hold = await prepare({}, `until [ -f "$2/go" ]; do sleep 0.01; done\n${FAKE_CRIU}`);
    const holding = hold.start(signal);
    await expect.poll(() => existsSync(join(directory, 'hold', 'started'))).toBe(true);
    const deciding = hold.decide('abort');
    await expect.poll(() => existsSync(join(directory, 'hold', 'decision'))).toBe(true);
    writeFileSync(join(directory, 'go'), '');
    expect(await deciding).toEqual({ decision: 'abort', end: { kind: 'exited', exitCode: 255 } });
    await holding;
  });

  test('without a controller the lease ends the hold, and what is to be done on abort is done', async () => {
    const hold = await prepare({ leaseSeconds: 1 });
    const held = join(directory, 'hold');
    writeFileSync(join(held, 'on-abort'), 'echo "$PWD" > back');
    // Started by its own means: nobody renews the lease.
    writeFileSync(join(held, 'started'), '0');
    await host.run(['sh', '-c', 'printf x 1<> "$1/start"', 'sh', held]);
    await expect.poll(() => existsSync(join(held, 'exit')), { timeout: 10_000 }).toBe(true);
    expect(readFileSync(join(held, 'exit'), 'utf8').trim()).toBe('255');
    expect(readFileSync(join(held, 'decision'), 'utf8')).toBe('abort lease\n');
    expect(readFileSync(join(held, 'back'), 'utf8')).toBe(`${held}\n`);
    expect(await hold.decide('commit')).toMatchObject({ decision: 'abort' });
  });

  test('a controller that lives renews the lease', async () => {
    const hold = await prepare({ leaseSeconds: 1 });
    await hold.start(signal);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(existsSync(join(directory, 'hold', 'decision'))).toBe(false);
    expect(await hold.decide('commit')).toMatchObject({ decision: 'commit' });
  });

  test('a lease that was waived never ends; the waiver may be repeated', async () => {
    const hold = await prepare({ leaseSeconds: 1 });
    await hold.start(signal);
    await hold.waiveLease();
    await hold.waiveLease();
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(existsSync(join(directory, 'hold', 'decision'))).toBe(false);
    expect(await hold.decide('commit')).toMatchObject({ decision: 'commit' });
  });

  test('a lease that has ended cannot be waived, nor can that of a hold that is gone', async () => {
    const hold = await prepare({ leaseSeconds: 1 });
    const held = join(directory, 'hold');
    writeFileSync(join(held, 'started'), '0');
    await host.run(['sh', '-c', 'printf x 1<> "$1/start"', 'sh', held]);
    await expect.poll(() => existsSync(join(held, 'decision')), { timeout: 10_000 }).toBe(true);
    await expect(hold.waiveLease()).rejects.toMatchObject({ code: 'HOLD_LOST' });
    await expect(CriuHold.of(host, join(directory, 'none')).waiveLease()).rejects.toMatchObject({
      code: 'HOLD_LOST',
    });
  });

  test('what runs beside a criu that holds is ended by the decision', async () => {
    const onHeld = 'echo "$$ $(cut -d " " -f 22 "/proc/$$/stat")" > job; mv job on-held.pid; exec sleep 4711';
    for (const decision of ['abort', 'commit'] as const) {
      const hold = await prepare({ onHeld });
      await hold.start(signal);
      const file = join(directory, 'hold', 'on-held.pid');
      await expect.poll(() => existsSync(file)).toBe(true);
      const pid = Number(readFileSync(file, 'utf8').split(' ')[0]);
      await hold.decide(decision);
      await expect.poll(() => workloadState(host, pid, undefined)).toBe('gone');
      rmSync(join(directory, 'hold'), { recursive: true });
    }
  });

  describe('of a source that was lost', () => {
    const first = { script: 'echo "$1" >> "$2"', args: ['$(reboot)', 'first'] };
    const recovery = {
      script: 'echo "$1" >> "${0%/*}/settled-by"; echo restored > "${0%/*}/settled"',
      tasks: [],
      again: [],
    };
    const read = (name: string): string => readFileSync(join(directory, 'hold', name), 'utf8');

    test('what was never started on the destination takes its place first, and is restored once', async () => {
      const hold = await prepare({ recovery });
      expect(await hold.decide('commit')).toMatchObject({ decision: 'commit', end: { kind: 'absent' } });
      for (const _ of ['once', 'again']) expect(await hold.revive(first)).toBeUndefined();
      expect(read('first')).toBe('$(reboot)\n');
      expect(read('settled-by')).toBe('again\n');
    });

    test('what was given up there takes its place again, should that have been lost', async () => {
      const hold = await prepare({ recovery });
      await hold.start(signal);
      await hold.decide('abort');
      expect(await hold.revive(first)).toBeUndefined();
      expect(read('first')).toBe('$(reboot)\n');
      expect(read('settled-by').trim().split('\n').at(-1)).toBe('again');
      expect(await hold.decide('abort')).toMatchObject({ decision: 'commit' });
    });

    test('a place that is taken is told', async () => {
      const hold = await prepare({ recovery });
      await hold.decide('commit');
      const taken = { script: 'echo "4711 cat" >&2; exit 3', args: [] };
      expect(await hold.revive(taken)).toEqual({ exitCode: 3, stderr: '4711 cat' });
      const missing = { script: 'echo missing >&2; exit 1', args: [] };
      expect(await hold.revive(missing)).toEqual({ exitCode: 6, stderr: 'missing' });
      expect(existsSync(join(directory, 'hold', 'placed'))).toBe(false);
    });

    test('the source never brings its copy back, unless it did before', async () => {
      const hold = await prepare({ recovery: { ...recovery, script: 'echo gone' } });
      await hold.decide('abort');
      await hold.relinquish();
      expect(await hold.decide('abort')).toMatchObject({ decision: 'commit' });
      await hold.relinquish();
      writeFileSync(join(directory, 'hold', 'settled'), 'restored\n');
      await expect(hold.relinquish()).rejects.toMatchObject({ code: 'RESUME_REFUSED' });
      await CriuHold.of(host, join(directory, 'none')).relinquish();
    });
  });

  test('what is to be done on resume finds its values in a file', async () => {
    const hold = await prepare({
      onResume: {
        script: '{ read -r a; read -r b; } < values; echo "$b/$a" > done',
        values: ['$(reboot)', "it's"],
      },
    });
    await hold.start(signal);
    await hold.decide('commit');
    expect(readFileSync(join(directory, 'hold', 'done'), 'utf8')).toBe("it's/$(reboot)\n");
  });

  test('an abort before the start keeps criu from ever being started', async () => {
    const hold = await prepare({}, 'touch "$2/ran"');
    expect(await hold.decide('abort')).toEqual({ decision: 'abort', end: { kind: 'absent' } });
    expect(existsSync(join(directory, 'ran'))).toBe(false);
  });

  test('a hold that is gone has no decision', async () => {
    const hold = await prepare();
    await hold.decide('abort');
    rmSync(join(directory, 'hold'), { recursive: true });
    expect(await hold.decide('abort')).toEqual({ decision: 'none', end: { kind: 'absent' } });
  });

  test('what runs before criu can refuse, with its reason', async () => {
    const hold = await prepare({}, 'touch "$2/ran"');
    const refused = await hold.start(signal, { script: 'echo "$1 is taken" >&2; exit 3', args: ['4711'] });
    expect(refused).toEqual({ kind: 'refused', exitCode: 3, stderr: '4711 is taken' });
    expect(await hold.decide('abort')).toEqual({ decision: 'abort', end: { kind: 'absent' } });
    expect(existsSync(join(directory, 'ran'))).toBe(false);
  });

  test('on a disk that is full nothing is read as what it is not', async () => {
    mkdirSync(join(directory, 'small'));
    await host.run(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', join(directory, 'small')]);
    try {
      const hold = await CriuHold.prepare(host, join(directory, 'small', 'hold'), {}, ({ actionScript }) => [
        ...['sh', '-c', FAKE_CRIU, 'criu', actionScript, directory],
      ]);
      await host.run(['sh', '-c', 'cat /dev/zero > "$1/fill"', 'sh', join(directory, 'small')]);
      expect(await hold.start(signal)).toEqual({
        kind: 'held',
        imageBytes: 1024,
        criuMs: expect.any(Number),
        tasks: [],
      });
      expect(await hold.decide('abort')).toEqual({
        decision: 'abort',
        end: { kind: 'exited', exitCode: 255 },
      });
    } finally {
      await host.run(['umount', '--lazy', join(directory, 'small')]);
    }
  });

  test('a criu that fails before its hold is an end, not a hold', async () => {
    const hold = await prepare({}, 'exit 1');
    expect(await hold.start(signal)).toEqual({ kind: 'exited', exitCode: 1 });
  });

  test('a criu that is killed while it holds is an end', async () => {
    const hold = await prepare({}, `echo $$ > "$2/criu.pid"\n${FAKE_CRIU}`);
    await hold.start(signal);
    process.kill(Number(readFileSync(join(directory, 'criu.pid'), 'utf8')), 'SIGKILL');
    expect(await hold.decide('abort')).toMatchObject({ end: { kind: 'exited', exitCode: 137 } });
  });
});
