import type { FlowEvent, StepView } from '../events/event.ts';
import { sanitizeLine } from './sanitize.ts';

/** What the reporters remember of a run's start, to name its steps. */
export interface RunView {
  see(event: FlowEvent): void;
  /** Short, unique in the run: the step's type, or its id when the type occurs twice. */
  label(stepId: string): string;
  title(stepId: string): string;
  /** Whom a step waits for, and how they answer. */
  approval(event: Extract<FlowEvent, { kind: 'approval-awaited' }>): string;
  /** The title of the step that failed first. */
  readonly failedStep: string | undefined;
}

export function createRunView(): RunView {
  let steps: readonly StepView[] = [];
  let failedStep: string | undefined;
  let runId = '';
  const find = (stepId: string) => steps.find((step) => step.id === stepId);
  const view: RunView = {
    see(event) {
      if (event.kind === 'run-started') [steps, runId] = [event.steps, event.runId];
      if (event.kind === 'step-finished' && event.result.status === 'failed') {
        failedStep ??= view.title(event.stepId);
      }
      // What failed in it was rescued.
      if (event.kind === 'block-finished') failedStep = undefined;
    },
    label(stepId) {
      const step = find(stepId);
      const isUnique = step !== undefined && steps.filter((other) => other.uses === step.uses).length === 1;
      return sanitizeLine(isUnique ? step.uses : stepId);
    },
    approval({ message, by, approvals, expiresAt }) {
      const people = by.length === 0 ? '' : ` of ${by.join(', ')}`;
      const count = approvals === 1 ? '1 approval' : `${approvals} approvals`;
      const text = `waits for ${count}${people} until ${expiresAt}: ${message} (criu-flow approve ${runId})`;
      return sanitizeLine(text);
    },
    title: (stepId) => sanitizeLine(find(stepId)?.title ?? stepId),
    get failedStep() {
      return failedStep;
    },
  };
  return view;
}
