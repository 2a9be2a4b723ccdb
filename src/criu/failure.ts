import { type ErrorCode, FlowError } from '../errors/flow-error.ts';
import { type CriuHold, describeEnd, type HoldEnd } from './hold.ts';
import { criuReason } from './log.ts';

/**
 * Turns a criu that ended before its hold into an error with CRIU's own reason. Reads the log on the host and keeps
 * it with the run.
 */
export async function criuFailure(
  code: Extract<ErrorCode, 'DUMP_FAILED' | 'RESTORE_FAILED'>,
  hold: CriuHold,
  what: 'dump' | 'restore',
  end: HoldEnd,
  keep: (name: string, content: string) => void,
): Promise<FlowError> {
  const { host, directory } = hold;
  const logFile = `${directory}/${what}.log`;
  const log = await host.run(['tail', '-c', '400000', '--', logFile]);
  const output = await host.run(['tail', '-n', '5', '--', `${directory}/process/stderr`]);
  keep(`${what}.log`, log.stdout);
  const reason = criuReason(log.stdout);
  return new FlowError(code, `criu ${what} on ${host.name} ${describeEnd(end)}`, {
    host: host.name,
    evidence: reason?.line ?? (output.stdout.trim().split('\n').at(-1) || `nothing in ${logFile}`),
    ...(reason?.hint === undefined ? {} : { hint: reason.hint }),
  });
}
