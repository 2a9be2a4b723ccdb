import type { ActingStep, Plan } from '../plan/plan.ts';
import { approve } from './approve.ts';
import { checkpoint } from './checkpoint.ts';
import { command } from './command.ts';
import { commit } from './commit.ts';
import { dump } from './dump.ts';
import { giveUp } from './give-up.ts';
import { postCopy } from './post-copy.ts';
import { preCopy } from './pre-copy.ts';
import { preflight } from './preflight.ts';
import { prepare } from './prepare.ts';
import { restore } from './restore.ts';
import type { Action, StepType } from './step.ts';
import { transferCheckpoint } from './transfer-checkpoint.ts';
import { transferRsync } from './transfer-rsync.ts';
import { transferSftp } from './transfer-sftp.ts';
import { transferShared } from './transfer-shared.ts';
import { transferStream } from './transfer-stream.ts';
import { verify } from './verify.ts';

/** Every `uses` of a plan. */
export const STEP_TYPES: Readonly<Record<ActingStep['uses'], StepType>> = {
  preflight,
  prepare,
  'pre-copy': preCopy,
  dump,
  'give-up': giveUp,
  'transfer/rsync': transferRsync,
  'transfer/sftp': transferSftp,
  'transfer/shared': transferShared,
  'transfer/stream': transferStream,
  'transfer/checkpoint': transferCheckpoint,
  restore,
  commit,
  'post-copy': postCopy,
  checkpoint,
  verify,
  command,
  approve,
};

/** What takes back what a step did, in words. */
export function undoTitleOf(undo: NonNullable<Action['undo']>, { kind }: Pick<Plan, 'kind'>): string {
  return kind === 'restore' ? (undo.restoreTitle ?? undo.title) : undo.title;
}

/** Milliseconds that a step may take. A dump that sends the memory away is a transfer too. */
export function timeoutOf(step: ActingStep, plan: Pick<Plan, 'steps'>): number {
  if (step.timeoutMs !== undefined) return step.timeoutMs;
  if (step.uses !== 'dump') return STEP_TYPES[step.uses].timeoutMs; // before any search: a plan can be long
  const sends = plan.steps.find(({ uses }) => uses === 'transfer/stream' || uses === 'transfer/shared');
  return STEP_TYPES[sends && sends.uses !== 'block' ? sends.uses : step.uses].timeoutMs;
}
