import type { StepType } from './step.ts';

/** Everything that can be done while the workload runs, for all steps, before the first one freezes it. */
export const prepare: StepType = {
  timeoutMs: 24 * 3_600_000,
  main: {
    async run(context) {
      context.phase('prepare');
      return context.prepareSteps();
    },
  },
};
