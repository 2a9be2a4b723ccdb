import { setTimeout as delay } from 'node:timers/promises';
import { FlowError } from '../errors/flow-error.ts';
import type { Check } from '../plan/plan.ts';
import { describeArgv } from '../plan/resolve.ts';
import { hostOf, runCommand } from './command.ts';
import type { StepContext, StepType } from './step.ts';

/** Milliseconds between two tries of a check that has not passed yet. */
const RETRY_MS = 100;

/**
 * Ask questions of the workload. After `commit` it must answer; a `verify` that stands between `restore` and `commit`
 * looks at a workload that is rebuilt but does not run, and its failure still rolls back.
 */
export const verify: StepType = {
  timeoutMs: 300_000,
  main: {
    async run(context, step) {
      if (step.uses !== 'verify') throw new Error(`verify: got ${step.uses}`);
      context.phase('verify');
      for (const check of step.checks) {
        context.detail(describeCheck(check));
        await untilPassed(context, check);
      }
      return step.checks.map(describeCheck).join(', ');
    },
  },
};

/**
 * Tries again until the check passes or its time is over; the last answer is the evidence. Before the commit nothing
 * runs that could come to pass the check later, and every client waits: then it is asked once.
 */
async function untilPassed(context: StepContext, check: Check): Promise<void> {
  const deadline = performance.now() + check.timeoutMs;
  for (;;) {
    const answer = await ask(context, check, Math.max(1, Math.ceil(deadline - performance.now())));
    if (answer === undefined) return;
    context.signal.throwIfAborted();
    if (context.state.releasedAtMs === undefined || performance.now() >= deadline) {
      throw new FlowError('VERIFY_FAILED', `The check failed: ${describeCheck(check)}`, {
        host: hostOf(context, check.kind === 'command' ? check.on : check.from).name,
        evidence: answer,
      });
    }
    await delay(RETRY_MS, undefined, { signal: context.signal });
  }
}

/** @returns what is wrong, or undefined when the check passes. */
async function ask(context: StepContext, check: Check, timeoutMs: number): Promise<string | undefined> {
  switch (check.kind) {
    case 'command':
      try {
        await runCommand(context, check, { signal: context.signal, timeoutMs });
        return undefined;
      } catch (error) {
        context.signal.throwIfAborted();
        if (!(error instanceof FlowError)) throw error;
        return `${error.message}: ${error.evidence ?? ''}`;
      }
    case 'http':
      return check.from === 'local'
        ? askHttp(check, timeoutMs)
        : askByTool(context, check, httpTool(check, timeoutMs));
    case 'tcp':
      return check.from === 'local'
        ? askTcp(check, timeoutMs)
        : askByTool(context, check, tcpTool(check, timeoutMs));
  }
}

async function askHttp(check: Check & { kind: 'http' }, timeoutMs: number): Promise<string | undefined> {
  try {
    const response = await fetch(check.url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'manual' });
    await response.body?.cancel();
    return response.status === check.status ? undefined : `status ${response.status}`;
  } catch (error) {
    return causeOf(error);
  }
}

async function askTcp(check: Check & { kind: 'tcp' }, timeoutMs: number): Promise<string | undefined> {
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const socket = connect({ host: check.address, port: check.port, timeout: timeoutMs });
    const end = (answer: string | undefined): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(undefined));
    socket.once('timeout', () => end('no answer'));
    socket.once('error', (error) => end(error.message));
  });
}

function httpTool(check: Check & { kind: 'http' }, timeoutMs: number): [string[], string] {
  const seconds = String(Math.ceil(timeoutMs / 1000));
  return [
    [
      'curl',
      '--silent',
      '--show-error',
      '--output',
      '/dev/null',
      '--write-out',
      '%{http_code}',
      '--max-time',
      seconds,
      '--',
      check.url,
    ],
    String(check.status),
  ];
}

function tcpTool(check: Check & { kind: 'tcp' }, timeoutMs: number): [string[], string] {
  return [['nc', '-z', '-w', String(Math.ceil(timeoutMs / 1000)), check.address, String(check.port)], ''];
}

async function askByTool(
  context: StepContext,
  check: Check & { kind: 'http' | 'tcp' },
  [argv, expected]: [string[], string],
): Promise<string | undefined> {
  const result = await hostOf(context, check.from).run(argv, { signal: context.signal });
  if (result.exitCode === 0 && result.stdout.trim() === expected) return undefined;
  return result.stderr.trim() || (result.stdout.trim() ? `status ${result.stdout.trim()}` : 'no answer');
}

function describeCheck(check: Check): string {
  switch (check.kind) {
    case 'http':
      return `${check.url} answers ${check.status}`;
    case 'tcp':
      return `${check.address} port ${check.port} accepts`;
    case 'command':
      return `${describeArgv(check.argv)} on the ${check.on} exits 0`;
  }
}

/** fetch hides the reason in its cause. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
