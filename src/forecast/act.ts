import type { Plan } from '../plan/plan.ts';
import type { Act, ForecastCommand, Mark, Place } from './forecast.ts';
import { hole, toWord } from './word.ts';

/** What a run names its things by. Before there is one, {@link unknownRun} has holes in their places. */
export interface RunNames {
  readonly plan: Plan;
  readonly attemptId: string;
  readonly runDirectory: string;
  readonly pid: string;
  /** What criu is told of a workload whose session does not move: its option, nothing, or a hole. */
  readonly shellJob: string;
  /** What stands at the end of the path of a file that moves: a slash for a directory. */
  readonly slash: string;
  /** Where the memory is streamed to, on 127.0.0.1. */
  readonly port: string;
}

export function unknownRun(plan: Plan): RunNames {
  return {
    plan,
    // The first attempt, as a run begins.
    attemptId: `${hole('run')}-1`,
    runDirectory: hole('dir'),
    pid: plan.workload.kind === 'pid' ? String(plan.workload.pid) : hole('pid'),
    shellJob: hole('shell-job'),
    slash: hole('slash'),
    port: hole('port'),
  };
}

export function command(on: Place, argv: readonly string[]): ForecastCommand {
  return { on, argv: argv.map(toWord) };
}

export function work(
  on: Place | 'both',
  does: string,
  commands: readonly ForecastCommand[] = [],
): Act & { kind: 'work' } {
  return { kind: 'work', on, does, commands };
}

export function mark(name: Mark): Act {
  return { kind: 'mark', mark: name };
}
