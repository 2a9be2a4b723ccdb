import { FlowError } from '../errors/flow-error.ts';
import type { StepType } from './step.ts';

/** Milliseconds after which the answers are looked at again, should the file system not have told of one. */
const LOOK_AGAIN_MS = 1000;

/** Wait until enough people agree, or one does not. Nothing is done meanwhile. */
export const approve: StepType = {
  // Its own `expires` comes first.
  timeoutMs: 501 * 3_600_000,
  main: {
    async run(context, step) {
      if (step.uses !== 'approve') throw new Error(`approve: got ${step.uses}`);
      const { message, by, approvals, expiresMs } = step;
      const expiresAtMs = Date.now() + expiresMs;
      context.askForApproval(step.id, {
        message,
        by,
        approvals,
        expiresAt: new Date(expiresAtMs).toISOString(),
      });
      for (;;) {
        context.signal.throwIfAborted();
        const answers = context.readAnswers(step.id).filter((answer) => isAsked(by, answer.by));
        const no = answers.find(({ isApproved }) => !isApproved);
        if (no) {
          throw new FlowError('APPROVAL_REJECTED', `${no.by} rejected the run`, {
            ...(no.reason === undefined ? {} : { evidence: no.reason }),
            hint: 'Ask why, then begin a new run.',
          });
        }
        if (answers.length >= approvals) return `by ${answers.map((answer) => answer.by).join(', ')}`;
        const leftMs = expiresAtMs - Date.now();
        if (leftMs <= 0) {
          throw new FlowError(
            'APPROVAL_EXPIRED',
            `${answers.length} of ${approvals} approvals came in time`,
            {
              hint: `Nobody else answered within ${expiresMs / 1000} s. Begin a new run when people are there.`,
            },
          );
        }
        await context.untilAnswered(step.id, Math.min(leftMs, LOOK_AGAIN_MS), context.signal);
      }
    },
  },
};

/** Everybody who can write the run's directory is, unless the recipe names some. */
function isAsked(by: readonly string[], name: string): boolean {
  return by.length === 0 || by.includes(name);
}
