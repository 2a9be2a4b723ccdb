import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Host } from '../../src/host/host.ts';
import { killProcess, processState, startProcess, waitProcess } from '../../src/host/remote-process.ts';
import { mustRunScript, runScript } from '../../src/host/shell.ts';

/** The programs that print their arguments, each ended by a NUL, which none of them can contain. */
const printArguments = ['printf', '%s\\0'];

/**
 * What every Host does. Runs on this machine or on one that shares its file system and processes (an sshd on
 * 127.0.0.1), so that effects can be seen from here.
 */
export function describeHostContract(name: string, connect: () => Promise<Host>): void {
  describe(`${name} as a host`, () => {
    let host: Host;
    let directory: string;

    beforeAll(async () => {
      host = await connect();
    });
    afterAll(async () => {
      await host.close();
    });
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'cf-host-'));
    });
    afterEach(async () => {
      await rm(directory, { recursive: true, force: true });
    });
    const at = (file: string): string => join(directory, file);

    it.each([0, 1, 2, 126, 127, 128, 254, 255])('reports exit code %i as it is', async (code) => {
      const result = await runScript(host, 'echo out; echo err >&2; exit "$1"', [String(code)]);
      expect(result).toEqual({ exitCode: code, stdout: 'out\n', stderr: 'err\n' });
    });

    it.each([
      ['HUP', 129],
      ['INT', 130],
      ['KILL', 137],
      ['TERM', 143],
      ['SEGV', 139],
    ])("reports a command ended by SIG%s as %i, without a shell's comment", async (signal, code) => {
      const result = await runScript(host, 'ulimit -c 0; kill -s "$1" $$; sleep 5', [signal]);
      expect(result).toEqual({ exitCode: code, stdout: '', stderr: '' });
    });

    it('reports a missing program as 127 and one that cannot be executed as 126', async () => {
      const missing = await host.run(['criu-flow-no-such-program', 'x']);
      expect(missing.exitCode).toBe(127);
      expect(missing.stderr).toMatch(/criu-flow-no-such-program: .*not found/);
      await writeFile(at('data'), 'text', { mode: 0o600 });
      expect((await host.run([at('data')])).exitCode).toBe(126);
      expect((await host.run([join(directory, 'data', 'x')])).exitCode).toBeOneOf([126, 127]);
    });

    it('runs the program and not a builtin or a keyword of a shell', async () => {
      for (const word of ['exit', 'cd', 'if', 'export']) {
        const result = await host.run([word, '3']);
        expect({ word, exitCode: result.exitCode }).toEqual({ word, exitCode: 127 });
      }
    });

    it('passes every argument as it is', async () => {
      const hard = [
        '',
        ' ',
        "'",
        '"',
        '$(id)',
        '`id`',
        '\\',
        "\\'",
        '-n',
        '--',
        '*',
        '~',
        '!x',
        'a\nb',
        '\r',
        '\t',
        'é日本😀',
        ';&|<>()',
        '#',
        '%s',
        '\u007f',
      ];
      const result = await host.run([...printArguments, ...hard]);
      expect(result.stdout.split('\0').slice(0, -1)).toEqual(hard);
      await fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !text.includes('\0')),
            { minLength: 1, maxLength: 8 },
          ),
          async (args) => {
            const answer = await host.run([...printArguments, ...args]);
            expect(answer.stdout.split('\0').slice(0, -1)).toEqual(args);
          },
        ),
        { numRuns: 60 },
      );
    });

    it('refuses what cannot be a command', async () => {
      for (const argv of [[], [''], ['echo', 'a\0b'], ['-x'], ['e\0cho']]) {
        await expect(host.run(argv)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
      }
    });

    it('answers 126 to more arguments than the host can take', async () => {
      const result = await host.run(['true', 'x'.repeat(3_000_000)]);
      expect(result.exitCode).toBe(126);
    });

    it('gives an empty standard input unless there is one', async () => {
      expect((await host.run(['cat'])).stdout).toBe('');
      expect((await host.run(['cat'], { stdin: 'a\nb' })).stdout).toBe('a\nb');
      expect((await host.run(['cat'], { stdin: '' })).stdout).toBe('');
      const bytes = randomBytes(300_000);
      const sum = await host.run(['sha256sum'], { stdin: bytes });
      const { createHash } = await import('node:crypto');
      expect(sum.stdout.slice(0, 64)).toBe(createHash('sha256').update(bytes).digest('hex'));
    });

    it('lets a command wait for an input that comes later', async () => {
      let give = (_text: string): void => undefined;
      const input = new Promise<string>((resolve) => {
        give = resolve;
      });
      const lines: string[] = [];
      const waiting = runScript(host, 'echo ready; cat', [], {
        stdin: input,
        onLine: (line) => {
          lines.push(line);
          if (line === 'ready') give('late\n');
        },
      });
      expect(await waiting).toEqual({ exitCode: 0, stdout: 'ready\nlate\n', stderr: '' });
      expect(lines).toEqual(['ready', 'late']);
    });

    it('does not wait for an input that nobody waits for, nor beyond the limit for one that never comes', async () => {
      const never = new Promise<string>(() => undefined);
      expect((await host.run(['true'], { stdin: never })).exitCode).toBe(0);
      const late = sleep(300, 'too late');
      expect((await host.run(['true'], { stdin: late })).exitCode).toBe(0);
      await late;
      await expect(host.run(['cat'], { stdin: never, timeoutMs: 300 })).rejects.toMatchObject({
        code: 'TIMEOUT',
      });
    });

    it('does not mind a command that leaves its standard input unread', async () => {
      const result = await host.run(['true'], { stdin: Buffer.alloc(2_000_000) });
      expect(result.exitCode).toBe(0);
    });

    it('speaks English: LC_ALL is C', async () => {
      expect((await runScript(host, 'echo "$LC_ALL"')).stdout).toBe('C\n');
    });

    it('starts commands with the default action of every signal', async () => {
      const result = await host.run(['grep', '-E', 'Sig(Ign|Blk)', '/proc/self/status']);
      expect(result.stdout).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n');
    });

    it('keeps the first MiB of the output and the last of the messages', async () => {
      const result = await runScript(host, 'seq 1 400000; seq 1 400000 >&2; echo end >&2; exit 7');
      expect(result.exitCode).toBe(7);
      expect(result.stdout).toHaveLength(1024 * 1024);
      expect(result.stdout.startsWith('1\n2\n3\n')).toBe(true);
      expect(result.stderr.length).toBeGreaterThan(1024 * 1024 - 100);
      expect(result.stderr.length).toBeLessThanOrEqual(1024 * 1024);
      expect(result.stderr.endsWith('399999\n400000\nend\n')).toBe(true);
    });

    it('hands over lines as they end, at \\n and at \\r', async () => {
      const lines: string[] = [];
      const result = await runScript(host, "printf 'a\\rb\\r'; sleep 0.2; printf '\\nc\\n\\nd\\r\\né'", [], {
        onLine: (line) => lines.push(line),
      });
      expect(lines).toEqual(['a', 'b', 'c', '', 'd', 'é']);
      expect(result.stdout).toBe('a\rb\r\nc\n\nd\r\né');
    });

    it('hands over a line before the command has ended', async () => {
      const seen: number[] = [];
      const started = Date.now();
      await runScript(host, "printf '50%%\\r'; sleep 1", [], {
        onLine: () => seen.push(Date.now() - started),
      });
      expect(seen).toHaveLength(1);
      expect(seen[0]).toBeLessThan(900);
    });

    it('throws what onLine throws, after the command', async () => {
      const run = runScript(host, 'echo a; touch "$1"', [at('done')], {
        onLine: () => {
          throw new Error('from onLine');
        },
      });
      await expect(run).rejects.toThrow('from onLine');
      expect(existsSync(at('done'))).toBe(true);
    });

    it('runs ten commands at the same time, each with its own answer', async () => {
      const results = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          runScript(host, 'sleep 0.3; echo "$1"; exit "$1"', [String(index)]),
        ),
      );
      expect(results.map(({ exitCode, stdout }) => [exitCode, stdout])).toEqual(
        results.map((_, index) => [index, `${index}\n`]),
      );
    });

    it('ends the whole group, grandchildren too, when the time is over', async () => {
      // The grandchild ignores SIGTERM, and writes for as long as it lives.
      const script = `
        sh -c 'trap "" TERM; while :; do date +%s%N >>"$1"; sleep 0.05; done' sh "$1" &
        sleep 30`;
      const run = runScript(host, script, [at('alive')], { timeoutMs: 600 });
      await expect(run).rejects.toMatchObject({ code: 'TIMEOUT', host: host.name });
      const before = await readFile(at('alive'), 'utf8');
      await sleep(300);
      expect(before).not.toBe('');
      expect(await readFile(at('alive'), 'utf8')).toBe(before);
    });

    it('gives a command two seconds to end by itself', async () => {
      const script = `trap 'sleep 0.5; echo bye >"$1"; exit 0' TERM; while :; do sleep 0.05; done`;
      await expect(runScript(host, script, [at('bye')], { timeoutMs: 400 })).rejects.toMatchObject({
        code: 'TIMEOUT',
      });
      expect(await readFile(at('bye'), 'utf8')).toBe('bye\n');
    });

    it('ends the command when the signal is aborted', async () => {
      const stop = new AbortController();
      const run = runScript(host, 'while :; do date +%s%N >>"$1"; sleep 0.05; done', [at('alive')], {
        signal: stop.signal,
      });
      setTimeout(() => stop.abort(), 400);
      await expect(run).rejects.toMatchObject({ code: 'INTERRUPTED', host: host.name });
      const before = await readFile(at('alive'), 'utf8');
      await sleep(200);
      expect(await readFile(at('alive'), 'utf8')).toBe(before);
    });

    it('leaves no process behind when it is aborted at once', async () => {
      const stop = new AbortController();
      const run = runScript(host, 'while :; do date +%s%N >>"$1"; sleep 0.05; done', [at('alive')], {
        signal: stop.signal,
      });
      setTimeout(() => stop.abort(), 1);
      await expect(run).rejects.toMatchObject({ code: 'INTERRUPTED' });
      const look = (): Promise<string> => readFile(at('alive'), 'utf8').catch(() => '');
      const before = await look();
      await sleep(200);
      expect(await look()).toBe(before);
    });

    it('starts nothing when the signal was aborted before', async () => {
      const run = host.run(['touch', at('x')], { signal: AbortSignal.abort() });
      await expect(run).rejects.toMatchObject({ code: 'INTERRUPTED' });
      expect(existsSync(at('x'))).toBe(false);
    });

    it('is not kept waiting by a process that left the group when the time is over', async () => {
      const started = Date.now();
      const run = runScript(host, 'setsid sleep 8', [], { timeoutMs: 300 });
      await expect(run).rejects.toMatchObject({ code: 'TIMEOUT' });
      expect(Date.now() - started).toBeLessThan(6000);
    });

    it('says what failed, where, and the last line of the messages', async () => {
      const run = mustRunScript(host, 'echo first >&2; echo last >&2; exit 3', [], { what: 'Looking' });
      await expect(run).rejects.toMatchObject({
        code: 'COMMAND_FAILED',
        message: `Looking failed on ${host.name} with exit code 3.`,
        host: host.name,
        evidence: 'last',
      });
    });

    it('does not pass half an answer off as a whole one', async () => {
      await expect(mustRunScript(host, 'seq 1 400000', [], { what: 'Listing' })).rejects.toMatchObject({
        code: 'COMMAND_FAILED',
        message: `Listing on ${host.name} gave more than 1 MiB of output.`,
      });
    });

    it('closes twice without a word', async () => {
      const other = await connect();
      await other.close();
      await other.close();
    });

    describe('a process that outlives the connection', () => {
      it('runs on when the host is closed, and leaves its exit status behind', async () => {
        const other = await connect();
        const script = 'echo out; echo err >&2; sleep 1; echo later; exit 42';
        const { pid } = await startProcess(other, { directory: at('p'), argv: ['sh', '-c', script] });
        expect(existsSync(`/proc/${pid}`)).toBe(true);
        await other.close();
        expect(await processState(host, at('p'))).toEqual({ kind: 'running', pid });
        expect(await waitProcess(host, at('p'))).toEqual({ exitCode: 42 });
        expect(await processState(host, at('p'))).toEqual({ kind: 'exited', exitCode: 42 });
        expect(await readFile(at('p/stdout'), 'utf8')).toBe('out\nlater\n');
        expect(await readFile(at('p/stderr'), 'utf8')).toBe('err\n');
        expect((await stat(at('p'))).mode & 0o777).toBe(0o700);
        expect((await stat(at('p/stdout'))).mode & 0o777).toBe(0o600);
      });

      it('starts clean: a session of its own, its environment, no file descriptor, no ignored signal', async () => {
        // No pipe: the shell would have its two ends open while ls looks.
        const script = `
          echo "$A|$LC_ALL|$(pwd)|$(umask)|$(readlink /proc/$$/fd/0)"
          ls -m /proc/$$/fd
          ps -o pid=,pgid=,sid= -p $$ | xargs
          echo $$
          grep -E 'Sig(Ign|Blk)' /proc/$$/status | xargs
          printf '%s\\n' "$@"`;
        const mask = (await runScript(host, 'umask')).stdout.trim();
        const argv = ['sh', '-c', script, 'sh', "it's", '--', 'a=b', '$(x)'];
        await startProcess(host, { directory: at('p'), argv, env: { A: 'x y $z' } });
        await waitProcess(host, at('p'));
        const lines = (await readFile(at('p/stdout'), 'utf8')).split('\n');
        expect(lines[0]).toBe(`x y $z|C|/|${mask}|/dev/null`);
        const descriptors = (lines[1] ?? '').split(', ').map(Number);
        expect(descriptors.filter((fd) => fd > 2 && fd < 10)).toEqual([]);
        expect(lines[2]).toBe(`${lines[3]} ${lines[3]} ${lines[3]}`);
        expect(lines[4]).toBe('SigBlk: 0000000000000000 SigIgn: 0000000000000000');
        expect(lines.slice(5)).toEqual(["it's", '--', 'a=b', '$(x)', '']);
      });

      it('is ended with its whole group, and the status says so', async () => {
        const script = `sh -c 'trap "" TERM; while :; do date +%s%N >>"$1"; sleep 0.05; done' sh "$1" & wait`;
        await startProcess(host, { directory: at('p'), argv: ['sh', '-c', script, 'sh', at('alive')] });
        await sleep(200);
        expect(await killProcess(host, at('p'), { graceMs: 300 })).toEqual({ kind: 'exited', exitCode: 143 });
        const before = await readFile(at('alive'), 'utf8');
        await sleep(200);
        expect(await readFile(at('alive'), 'utf8')).toBe(before);
        expect(await killProcess(host, at('p'))).toEqual({ kind: 'exited', exitCode: 143 });
      });

      it('ends those of the group that outlived their leader', async () => {
        const script = '(while :; do date +%s%N >>"$1"; sleep 0.05; done) & sleep 0.2; exit 5';
        await startProcess(host, { directory: at('p'), argv: ['sh', '-c', script, 'sh', at('alive')] });
        expect(await waitProcess(host, at('p'))).toEqual({ exitCode: 5 });
        expect(await killProcess(host, at('p'))).toEqual({ kind: 'exited', exitCode: 5 });
        const before = await readFile(at('alive'), 'utf8');
        await sleep(200);
        expect(await readFile(at('alive'), 'utf8')).toBe(before);
      });

      it('reports a missing program as 127, and a signal as 128 + N', async () => {
        await startProcess(host, { directory: at('missing'), argv: ['criu-flow-no-such-program'] });
        expect(await waitProcess(host, at('missing'))).toEqual({ exitCode: 127 });
        await startProcess(host, { directory: at('killed'), argv: ['sh', '-c', 'kill -s KILL $$'] });
        expect(await waitProcess(host, at('killed'))).toEqual({ exitCode: 137 });
      });

      it('is started once in a directory', async () => {
        const request = { directory: at('p'), argv: ['sh', '-c', 'echo x >>"$1"', 'sh', at('count')] };
        const both = await Promise.allSettled([startProcess(host, request), startProcess(host, request)]);
        expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
        await expect(startProcess(host, request)).rejects.toMatchObject({ code: 'COMMAND_FAILED' });
        await waitProcess(host, at('p'));
        expect(await readFile(at('count'), 'utf8')).toBe('x\n');
      });

      it('is lost, and still ended, when its supervisor was killed', async () => {
        const { pid } = await startProcess(host, { directory: at('p'), argv: ['sleep', '30'] });
        const status = await readFile(`/proc/${pid}/status`, 'utf8');
        process.kill(Number(/PPid:\s+(\d+)/.exec(status)?.[1]), 'SIGKILL');
        await expect(waitProcess(host, at('p'))).rejects.toMatchObject({ code: 'COMMAND_FAILED' });
        expect(await processState(host, at('p'))).toEqual({ kind: 'lost', pid });
        await killProcess(host, at('p'));
        await expect.poll(() => existsSync(`/proc/${pid}/exe`)).toBe(false);
      });

      it('never ends a process that has its id by chance', async () => {
        const { pid } = await startProcess(host, { directory: at('p'), argv: ['sleep', '30'] });
        const recorded = await readFile(at('p/process'), 'utf8');
        const [, start, boot] = recorded.trim().split(' ');
        await writeFile(at('p/process'), `${pid} ${Number(start) - 1} ${boot}\n`);
        await killProcess(host, at('p'));
        expect(existsSync(`/proc/${pid}/exe`)).toBe(true);
        await writeFile(at('p/process'), `${pid} ${start} 00000000-0000-0000-0000-000000000000\n`);
        await killProcess(host, at('p'));
        expect(existsSync(`/proc/${pid}/exe`)).toBe(true);
        await writeFile(at('p/process'), recorded);
        expect(await killProcess(host, at('p'))).toEqual({ kind: 'exited', exitCode: 143 });
      });

      it('is not ended when the waiting is', async () => {
        const { pid } = await startProcess(host, { directory: at('p'), argv: ['sleep', '30'] });
        await expect(waitProcess(host, at('p'), { timeoutMs: 200 })).rejects.toMatchObject({
          code: 'TIMEOUT',
        });
        expect(await processState(host, at('p'))).toEqual({ kind: 'running', pid });
        await killProcess(host, at('p'));
      });

      it('is absent where nothing was started', async () => {
        expect(await processState(host, at('none'))).toEqual({ kind: 'absent' });
        expect(await killProcess(host, at('none'))).toEqual({ kind: 'absent' });
        await expect(waitProcess(host, at('none'))).rejects.toMatchObject({ code: 'COMMAND_FAILED' });
        await expect(processState(host, 'relative')).rejects.toMatchObject({ code: 'INPUT_INVALID' });
      });
    });
  });
}
