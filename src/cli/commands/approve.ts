import { userInfo } from 'node:os';
import { FlowError } from '../../errors/flow-error.ts';
import type { ActingStep, Plan } from '../../plan/plan.ts';

export interface ApproveCommandOptions {
  readonly reject: boolean;
  readonly reason?: string | undefined;
}

type ApproveStep = Extract<ActingStep, { readonly uses: 'approve' }>;

/**
 * `criu-flow approve`: answers the step of a run that waits for it. @returns 0
 * @throws FlowError APPROVAL_REFUSED when no step waits, or this person is not asked; RUN_NOT_FOUND
 */
export async function approveCommand(name: string, options: ApproveCommandOptions): Promise<number> {
  const [{ readRun }, { findRun }, { writeAnswer }, { sanitizeLine }, { readProgress }] = await Promise.all([
    import('../../store/read-run.ts'),
    import('../../store/list-runs.ts'),
    import('../../store/approvals.ts'),
    import('../../report/sanitize.ts'),
    import('../../engine/read-progress.ts'),
  ]);
  const run = readRun(findRun(name));
  const { began, ended, outcome } = readProgress(run.records);
  const { steps } = run.plan as Plan;
  const step = steps.find(
    (each): each is ApproveStep => each.uses === 'approve' && began.has(each.id) && !ended.has(each.id),
  );
  if (!step || outcome !== undefined) {
    throw new FlowError('APPROVAL_REFUSED', `No step of run ${run.runId} waits for approval`, {
      hint: outcome === undefined ? 'It may not have come so far, or is past it.' : 'The run has ended.',
      command: `criu-flow runs show ${run.runId}`,
    });
  }
  const by = whoIsThis();
  if (step.by.length > 0 && !step.by.includes(by)) {
    throw new FlowError('APPROVAL_REFUSED', `${by} is not asked: the recipe asks ${step.by.join(', ')}`, {
      hint: 'One of them answers, logged in here under their own name, or with sudo from it.',
    });
  }
  const { reject, reason } = options;
  const at = new Date().toISOString();
  writeAnswer(run.path, step.id, {
    by,
    isApproved: !reject,
    at,
    ...(reason === undefined ? {} : { reason }),
  });
  const verb = reject ? 'rejected' : 'approved';
  process.stdout.write(`${sanitizeLine(`${verb} as ${by}: ${step.message}`)}\n`);
  return 0;
}

/** sudo(8) says who somebody was; only root is believed, who could write the answer anyway. */
function whoIsThis(): string {
  const before = process.env['SUDO_USER'];
  if (process.getuid?.() === 0 && before !== undefined && before !== '') return before;
  try {
    return userInfo().username;
  } catch {
    // A user id without a name, as containers have.
    return String(process.getuid?.());
  }
}
