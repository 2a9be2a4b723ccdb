import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Host } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import { idsOf } from '../../src/workload/facts.ts';
import { requireSameProcess, workloadState } from '../../src/workload/identity.ts';
import { startProgram } from '../helpers/started-program.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { workloadOf } from '../helpers/workload.ts';

const host = new LocalHost();

/** Fields of /proc/PID/stat, counted from the state, 0. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

test('a process that runs, that is stopped, that goes on, that is gone', async () => {
  await using program = await startProgram('sh', '-c', 'read -r line; echo "$line"; read -r line');
  const startTicks = Number(statOf(program.pid)[19]);
  const workload = workloadOf({ pid: program.pid, startTicks });
  expect(await workloadState(host, program.pid, startTicks)).toBe('running');
  await requireSameProcess(host, workload);

  program.signal('SIGSTOP');
  await expect.poll(() => statOf(program.pid)[0]).toBe('T');
  expect(await workloadState(host, program.pid, startTicks)).toBe('stopped');
  await expect(requireSameProcess(host, workload)).rejects.toMatchObject({
    code: 'WORKLOAD_NOT_FOUND',
    message: `Process ${program.pid} (program) on local is stopped`,
    hint: `Let it go on: kill -CONT ${program.pid}`,
  });
  program.signal('SIGCONT');

  await program.kill();
  expect(await workloadState(host, program.pid, startTicks)).toBe('gone');
  await expect(requireSameProcess(host, workload)).rejects.toMatchObject({
    code: 'WORKLOAD_NOT_FOUND',
    message: `Process ${program.pid} (program) on local has ended`,
  });
});

test('a zombie is gone, although its pid is taken', async () => {
  // The shell starts a child and then becomes a program that reaps nobody.
  const parent = spawn('sh', ['-c', 'exec 3<&0; read -r line <&3 & echo $!; exec sleep 60']);
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(String(line));
    // Not before: a shell reaps its children.
    const comm = (): string => readFileSync(`/proc/${parent.pid}/comm`, 'utf8').trim();
    await expect.poll(comm, { timeout: 10_000 }).toBe('sleep');
    parent.stdin.end('go\n');
    await expect.poll(() => statOf(pid)[0], { timeout: 10_000 }).toBe('Z');
    expect(await workloadState(host, pid, undefined)).toBe('gone');
  } finally {
    parent.kill('SIGKILL');
    await once(parent, 'close');
  }
});

test('a name full of parentheses and spaces does not shift the fields', async () => {
  using directory = temporaryDirectory();
  const path = directory.at(') Z (0 0');
  copyFileSync('/bin/sh', path);
  await using program = await startProgram(path, '-c', 'read -r line; echo "$line"; read -r line');
  expect(readFileSync(`/proc/${program.pid}/comm`, 'utf8')).toBe(') Z (0 0\n');
  expect(await workloadState(host, program.pid, Number(statOf(program.pid)[19]))).toBe('running');
});

test.each([
  ['R', 'running'],
  ['S', 'running'],
  ['D', 'running'],
  ['T', 'stopped'],
  ['t', 'held'],
  ['Z', 'gone'],
  ['X', 'gone'],
])('state %s of /proc/PID/stat is: %s', async (letter, state) => {
  const fake: Host = {
    name: 'a',
    run: async () => ({ exitCode: 0, stdout: `${letter} 1\n`, stderr: '' }),
    standBy: async () => undefined,
    close: async () => undefined,
  };
  expect(await workloadState(fake, 10, 1)).toBe(state);
  const required = requireSameProcess(fake, workloadOf({}));
  // Of a tracer criu complains itself, and better.
  await (state === 'running' || state === 'held'
    ? required
    : expect(required).rejects.toThrow(/ended|stopped/));
});

test('every process and every thread needs its id on the destination', () => {
  expect(idsOf(workloadOf({ pid: 20, threads: [20, 22] }, { pid: 3, threads: [3] }))).toEqual([3, 20, 22]);
});
