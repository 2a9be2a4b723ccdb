import { FlowError } from '../errors/flow-error.ts';
import type { Check } from '../plan/plan.ts';
import { describeArgv } from '../plan/resolve.ts';
import { matchesPattern } from '../template/pattern.ts';
import { hostOf, runCommand } from './command.ts';
import type { StepContext } from './step.ts';

/** Characters of an answer in which a pattern is looked for. */
const MAX_BODY = 65_536;

/** From where a question is asked, and with which values. */
export type Asker = Pick<StepContext, 'source' | 'destination' | 'local' | 'values' | 'signal'>;

/** An answer: what is wrong with it, or undefined when it will do. */
type Answer = string | undefined;

/**
 * Asks one question once.
 * @param timeoutMs until no answer is one
 * @returns what is wrong with the answer; undefined when the check passes
 */
export async function askCheck(asker: Asker, check: Check, timeoutMs: number): Promise<Answer> {
  const beganAtMs = performance.now();
  const wrong = await answerOf(asker, check, timeoutMs);
  if (wrong !== undefined || check.kind === 'command' || check.withinMs === undefined) return wrong;
  const tookMs = performance.now() - beganAtMs;
  if (tookMs <= check.withinMs) return undefined;
  return `it took ${Math.round(tookMs)} ms, and ${check.withinMs} ms are the most`;
}

/** A check in a few words. */
export function describeCheck(check: Check): string {
  const name = check.probe === undefined ? '' : `${check.probe}: `;
  switch (check.kind) {
    case 'http':
      return `${name}${check.url} answers ${check.statuses.join(' or ')}`;
    case 'tcp':
      return `${name}${check.address} port ${check.port} accepts`;
    case 'command':
      return `${name}${describeArgv(check.argv)} on the ${check.on} exits ${(check.exitCodes ?? [0]).join(' or ')}`;
  }
}

async function answerOf(asker: Asker, check: Check, timeoutMs: number): Promise<Answer> {
  switch (check.kind) {
    case 'command':
      return askCommand(asker, check, timeoutMs);
    case 'http':
      return check.from === 'local' ? askHttp(asker, check, timeoutMs) : askCurl(asker, check, timeoutMs);
    case 'tcp':
      return check.from === 'local' ? askTcp(asker, check, timeoutMs) : askNetcat(asker, check, timeoutMs);
  }
}

async function askCommand(
  asker: Asker,
  check: Check & { readonly kind: 'command' },
  timeoutMs: number,
): Promise<Answer> {
  const { exitCodes, stdout: pattern } = check;
  try {
    const { stdout } = await runCommand(asker, check, { signal: asker.signal, timeoutMs, exitCodes });
    return pattern === undefined ? undefined : mismatch(pattern, stdout);
  } catch (error) {
    asker.signal.throwIfAborted();
    if (!(error instanceof FlowError)) throw error;
    return `${error.message}: ${error.evidence ?? ''}`;
  }
}

function mismatch(pattern: string, text: string): Answer {
  const isMatch = matchesPattern(pattern, text.slice(0, MAX_BODY));
  if (isMatch === true) return undefined;
  return isMatch === undefined ? `${pattern} takes too long to look for` : `${pattern} matches nothing in it`;
}

async function askHttp(
  { signal }: Asker,
  { url, statuses, body: pattern }: Check & { readonly kind: 'http' },
  timeoutMs: number,
): Promise<Answer> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      redirect: 'manual',
    });
    if (!statuses.includes(response.status)) {
      await response.body?.cancel();
      return `status ${response.status}`;
    }
    if (pattern === undefined) {
      await response.body?.cancel();
      return undefined;
    }
    return mismatch(pattern, await beginningOf(response));
  } catch (error) {
    signal.throwIfAborted();
    return causeOf(error);
  }
}

/** The body may have no end. */
async function beginningOf(response: Response): Promise<string> {
  let text = '';
  if (!response.body) return text;
  const decoder = new TextDecoder();
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    // Leaving the loop cancels the rest.
    if (text.length >= MAX_BODY) break;
  }
  return text;
}

/** fetch hides the reason in its cause. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

async function askTcp(
  { signal }: Asker,
  { address, port }: Check & { readonly kind: 'tcp' },
  timeoutMs: number,
): Promise<Answer> {
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: timeoutMs });
    const end = (answer: Answer): void => {
      signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve(answer);
    };
    const stop = (): void => end('it was not waited for');
    signal.addEventListener('abort', stop, { once: true });
    socket.once('connect', () => end(undefined));
    socket.once('timeout', () => end('no answer'));
    socket.once('error', (error) => end(error.message));
  });
}

/** @see curl(1): `-w` writes after the body */
async function askCurl(
  asker: Asker,
  { url, statuses, body: pattern, from }: Check & { readonly kind: 'http' },
  timeoutMs: number,
): Promise<Answer> {
  const output = pattern === undefined ? ['--output', '/dev/null'] : [];
  const flags = ['--silent', '--show-error', ...output, '--write-out', '\n%{http_code}', '--max-time'];
  const argv = ['curl', ...flags, String(Math.ceil(timeoutMs / 1000)), '--', url];
  const { exitCode, stdout, stderr } = await hostOf(asker, from).run(argv, { signal: asker.signal });
  if (exitCode !== 0) return stderr.trim() || 'no answer';
  const at = stdout.lastIndexOf('\n');
  const status = Number(stdout.slice(at + 1));
  if (!statuses.includes(status)) return `status ${status}`;
  return pattern === undefined ? undefined : mismatch(pattern, stdout.slice(0, at));
}

async function askNetcat(
  asker: Asker,
  { address, port, from }: Check & { readonly kind: 'tcp' },
  timeoutMs: number,
): Promise<Answer> {
  const argv = ['nc', '-z', '-w', String(Math.ceil(timeoutMs / 1000)), address, String(port)];
  const { exitCode, stderr } = await hostOf(asker, from).run(argv, { signal: asker.signal });
  return exitCode === 0 ? undefined : stderr.trim() || 'no answer';
}
