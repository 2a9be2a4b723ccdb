import { type ErrorCode, FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { criuReason } from './log.ts';

/**
 * Turns a criu that failed into an error with CRIU's own reason. Reads the log on the host and keeps it with the run.
 * @param at.directory its work directory, which also has that of its process
 * @param how it ended, in words that follow its name
 */
export async function criuFailure(
  code: Extract<ErrorCode, 'DUMP_FAILED' | 'RESTORE_FAILED'>,
  { host, directory }: { readonly host: Host; readonly directory: string },
  what: 'dump' | 'pre-dump' | 'restore',
  how: string,
  keep: (name: string, content: string) => void,
): Promise<FlowError> {
  const logFile = `${directory}/${what}.log`;
  const log = await host.run(['tail', '-c', '400000', '--', logFile]);
  const output = await host.run(['tail', '-n', '5', '--', `${directory}/process/stderr`]);
  keep(`${what}.log`, log.stdout);
  const reason = criuReason(log.stdout);
  return new FlowError(code, `criu ${what} on ${host.name} ${how}`, {
    host: host.name,
    evidence: reason?.line ?? (output.stdout.trim().split('\n').at(-1) || `nothing in ${logFile}`),
    ...(reason?.hint === undefined ? {} : { hint: reason.hint }),
  });
}
