import type { FlowEvent } from '../events/event.ts';
import { formatFailureLine } from './failure.ts';
import { createPaint, formatDuration, formatProgress, type Paint } from './format.ts';
import type { Reporter, ReporterOptions } from './reporter.ts';
import { createRunView, type RunView } from './run-view.ts';
import { sanitizeLine } from './sanitize.ts';
import { formatStrategy } from './strategy.ts';
import { formatSummary } from './summary.ts';
import { createThrottle } from './throttle.ts';

/** A log that is read later gains nothing from more. */
const PROGRESS_INTERVAL_MS = 2000;

/** One line an event with the seconds since the start; the closing text at the end. Nothing is ever redrawn. */
export function createPlainReporter(options: Omit<ReporterOptions, 'kind' | 'date'>): Reporter {
  const now = options.now ?? (() => performance.now());
  const paint = createPaint(options.color);
  const view = createRunView();
  const progress = createThrottle(PROGRESS_INTERVAL_MS, now);
  let startedAtMs = now();

  return {
    onEvent(event) {
      view.see(event);
      if (event.kind === 'run-started') startedAtMs = now();
      // A short transfer is over before its first interval is, and says nothing but its end.
      if (event.kind === 'step-started') progress.restart(event.stepId);
      if (event.kind === 'step-progress' && !progress.take(event.stepId)) return;
      if (event.kind === 'run-finished') {
        const { failedStep } = view;
        options.stream.write(`\n${formatSummary(event.summary, { failedStep, paint })}\n`);
        return;
      }
      const elapsed = ((now() - startedAtMs) / 1000).toFixed(2).padStart(6);
      options.stream.write(`${paint('faint', `[${elapsed}s]`)} ${formatEvent(event, view, paint)}\n`);
    },
    tell(text) {
      options.errorStream.write(`criu-flow: ${text}\n`);
    },
    async finish() {
      // Every line is written as its event arrives.
    },
  };
}

function formatEvent(
  event: Exclude<FlowEvent, { readonly kind: 'run-finished' }>,
  view: RunView,
  paint: Paint,
): string {
  switch (event.kind) {
    case 'run-started': {
      const [recipe, source, destination] = [event.recipe, event.source, event.destination].map(sanitizeLine);
      const where = source === destination ? `on ${source}` : `from ${source} to ${destination}`;
      return `run ${sanitizeLine(event.runId)}: ${paint('strong', recipe ?? '')}, ${where}`;
    }
    case 'phase-started':
      // From a journal it may be anything.
      return sanitizeLine(`phase ${event.phase}`);
    case 'step-started':
      return `${view.label(event.stepId)}: ${view.title(event.stepId)}`;
    case 'step-detail':
      return `${view.label(event.stepId)}: ${sanitizeLine(event.text)}`;
    case 'step-progress':
      return `${view.label(event.stepId)}: ${formatProgress(event)}`;
    case 'block-finished':
      return `${view.label(event.stepId)}: done`;
    case 'strategy-chosen':
      return `strategy: ${formatStrategy(event.report)}`;
    case 'approval-awaited':
      return `${view.label(event.stepId)}: ${view.approval(event)}`;
    case 'result-registered':
      return `${sanitizeLine(event.name)}: exit code ${event.result.exitCode}`;
    case 'step-finished': {
      const { result } = event;
      if (result.status === 'skipped') return `${view.label(event.stepId)}: skipped`;
      const took = formatDuration(event.durationMs);
      const label = view.label(event.stepId);
      if (result.status === 'failed') {
        return `${label}: ${paint('bad', `failed after ${took}`)}: ${formatFailureLine(result.failure)}`;
      }
      return `${label}: ${paint('good', `done in ${took}`)}${result.text === undefined ? '' : `, ${sanitizeLine(result.text)}`}`;
    }
    case 'warning':
      return `${paint('warning', 'warning:')} ${sanitizeLine(event.text)}`;
    case 'rollback-started':
      return `${paint('warning', `rolling back, ${countOfUndos(event.actions.length)}:`)} ${formatFailureLine(event.reason)}`;
    case 'undo-started':
      return `undo: ${sanitizeLine(event.action)}`;
    case 'undo-finished': {
      const took = formatDuration(event.durationMs);
      const action = sanitizeLine(event.action);
      if (event.failure) {
        return `undo: ${action}: ${paint('bad', `FAILED after ${took}`)}: ${formatFailureLine(event.failure)}`;
      }
      return `undo: ${action}: ${paint('good', `done in ${took}`)}`;
    }
  }
}

function countOfUndos(count: number): string {
  if (count === 0) return 'nothing to undo';
  return count === 1 ? '1 undo' : `${count} undos`;
}
