import { FlowError } from '../errors/flow-error.ts';
import type { Host, RunOptions } from '../host/host.ts';
import type { CommandSpec } from '../plan/plan.ts';
import type { StepContext, StepType } from './step.ts';

/** Run one program on one of the hosts; any exit code but 0 fails the run. */
export const command: StepType = {
  timeoutMs: 60_000,
  main: {
    async run(context, step) {
      if (step.uses !== 'command') throw new Error(`command: got ${step.uses}`);
      await runCommand(context, step, { signal: context.signal });
      return undefined;
    },
  },
};

export function hostOf(context: StepContext, on: CommandSpec['on']): Host {
  switch (on) {
    case 'source':
      return context.source;
    case 'destination':
      return context.destination;
    case 'local':
      return context.local;
  }
}

/** @throws FlowError COMMAND_FAILED with the end of what the command said. */
export async function runCommand(
  context: StepContext,
  spec: CommandSpec,
  options: Pick<RunOptions, 'signal' | 'timeoutMs'> = {},
): Promise<void> {
  const host = hostOf(context, spec.on);
  const result = await host.run(spec.argv, { timeoutMs: 24 * 3_600_000, ...options });
  if (result.exitCode === 0) return;
  throw new FlowError(
    'COMMAND_FAILED',
    `${spec.argv[0]} on ${host.name} ended with exit code ${result.exitCode}`,
    {
      host: host.name,
      evidence:
        result.stderr.trim().split('\n').at(-1) ||
        result.stdout.trim().split('\n').at(-1) ||
        'it said nothing',
    },
  );
}
