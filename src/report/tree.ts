import type { FlowEvent } from '../events/event.ts';
import { formatFailureLine } from './failure.ts';
import { createPaint, formatDuration, formatProgress, type Paint } from './format.ts';
import type { Reporter, ReporterOptions } from './reporter.ts';
import { createRunView, type RunView } from './run-view.ts';
import { sanitizeLine } from './sanitize.ts';
import { formatSummary } from './summary.ts';
import { createThrottle, type Throttle } from './throttle.ts';
import { TreeLine } from './tree-line.ts';
import { createTreeList, type TreeList } from './tree-list.ts';

/** Every update redraws the whole tree, synchronously: five a second are as many as anybody reads. */
const PROGRESS_INTERVAL_MS = 200;

type TreeOptions = ReporterOptions & { readonly stream: NodeJS.WriteStream };

/** A tree that is redrawn in place: the steps, then the undos, then the closing text. */
export function createTreeReporter(options: TreeOptions): Reporter {
  return new TreeReporter(options);
}

class TreeReporter implements Reporter {
  readonly #options: TreeOptions;
  readonly #paint: Paint;
  readonly #view: RunView = createRunView();
  readonly #progress: Throttle;
  readonly #steps = new Map<string, TreeLine>();
  #undos: { readonly action: string; readonly line: TreeLine }[] = [];
  /** The lists are drawn one after the other, each when the one before is complete. */
  #shown: Promise<void> = Promise.resolve();
  /** The list that is drawn now. */
  #list: TreeList | undefined;
  /** For the list that is drawn next. */
  #notices: string[] = [];
  #closingText = '';

  constructor(options: TreeOptions) {
    this.#options = options;
    this.#paint = createPaint(options.color);
    this.#progress = createThrottle(PROGRESS_INTERVAL_MS, options.now ?? (() => performance.now()));
  }

  readonly onEvent = (event: FlowEvent): void => {
    this.#view.see(event);
    switch (event.kind) {
      case 'run-started':
        this.#startRun(event);
        return;
      case 'phase-started':
      case 'block-finished':
      case 'result-registered':
      case 'strategy-chosen':
        // The steps say it better.
        return;
      case 'step-started':
        this.#lineOfStep(event.stepId);
        return;
      case 'step-detail':
        this.#steps.get(event.stepId)?.detail(sanitizeLine(event.text));
        return;
      case 'approval-awaited':
        this.#steps.get(event.stepId)?.detail(this.#view.approval(event));
        return;
      case 'step-progress':
        if (this.#progress.take(event.stepId)) this.#steps.get(event.stepId)?.detail(formatProgress(event));
        return;
      case 'step-finished':
        this.#finishStep(event);
        return;
      case 'warning': {
        const notice = `${this.#paint('warning', 'warning:')} ${sanitizeLine(event.text)}`;
        if (this.#list) this.#list.note(notice);
        else this.#notices.push(notice);
        return;
      }
      case 'rollback-started':
        this.#startRollback(event);
        return;
      case 'undo-started':
        return;
      case 'undo-finished':
        this.#finishUndo(event);
        return;
      case 'run-finished': {
        const { failedStep } = this.#view;
        this.#closingText = formatSummary(event.summary, { failedStep, paint: this.#paint });
        this.#closeLines();
      }
    }
  };

  tell(text: string): void {
    const notice = `${this.#paint('warning', 'criu-flow:')} ${text}`;
    if (this.#list) this.#list.note(notice);
    else this.#options.errorStream.write(`${notice}\n`);
  }

  async finish(): Promise<void> {
    this.#closeLines();
    try {
      await this.#shown;
    } finally {
      if (this.#closingText !== '') this.#options.stream.write(`\n${this.#closingText}\n`);
    }
  }

  #startRun(event: Extract<FlowEvent, { kind: 'run-started' }>): void {
    const [recipe, source, destination, runId] = [
      event.recipe,
      event.source,
      event.destination,
      event.runId,
    ].map(sanitizeLine);
    const where = source === destination ? source : `${source} → ${destination}`;
    this.#options.stream.write(
      `${this.#paint('strong', recipe ?? '')}: ${where} ${this.#paint('faint', `(run ${runId})`)}\n`,
    );
    for (const step of event.steps) {
      // Cleaning up comes after the steps or after the undos: its list is made when it starts.
      if (step.uses !== 'clean-up') this.#steps.set(step.id, new TreeLine(this.#view.title(step.id)));
    }
    if (this.#steps.size > 0) this.#show([...this.#steps.values()]);
  }

  /** A step that starts outside the list of steps gets a list of its own. */
  #lineOfStep(stepId: string): void {
    if (this.#steps.get(stepId)?.isSettled === false) return;
    const line = new TreeLine(this.#view.title(stepId));
    this.#steps.set(stepId, line);
    this.#show([line]);
  }

  #finishStep(event: Extract<FlowEvent, { kind: 'step-finished' }>): void {
    const line = this.#steps.get(event.stepId);
    if (!line) return;
    const { result } = event;
    if (result.status === 'skipped') {
      line.settle({ kind: 'not-run' });
    } else if (result.status === 'failed') {
      this.#fail(line, event.durationMs, formatFailureLine(result.failure));
    } else {
      this.#complete(line, event.durationMs, result.text);
    }
  }

  #startRollback(event: Extract<FlowEvent, { kind: 'rollback-started' }>): void {
    this.#closeLines();
    this.#undos = event.actions.map((action) => ({ action, line: new TreeLine(sanitizeLine(action)) }));
    const lines = this.#undos.map((undo) => undo.line);
    if (lines.length > 0) this.#show(lines, 'Rolling back');
  }

  #finishUndo(event: Extract<FlowEvent, { kind: 'undo-finished' }>): void {
    const undo = this.#undos.find(({ action, line }) => action === event.action && !line.isSettled);
    if (!undo) return;
    if (event.failure) this.#fail(undo.line, event.durationMs, formatFailureLine(event.failure));
    else this.#complete(undo.line, event.durationMs, undefined);
  }

  #complete(line: TreeLine, durationMs: number, text: string | undefined): void {
    // What takes the most room comes last: a line is cut at the terminal's width.
    const said = text === undefined ? '' : `: ${sanitizeLine(text)}`;
    line.settle({ kind: 'done', title: `${line.title} ${this.#took(durationMs)}${said}` });
  }

  #fail(line: TreeLine, durationMs: number, message: string): void {
    line.settle({ kind: 'failed', title: `${line.title} ${this.#took(durationMs)}`, message });
  }

  #took(durationMs: number): string {
    return this.#paint('faint', `(${formatDuration(durationMs)})`);
  }

  /** Gives every open line an end, or its list would never be complete. */
  #closeLines(): void {
    for (const line of this.#steps.values()) if (!line.isSettled) line.settle({ kind: 'not-run' });
    for (const { line } of this.#undos) if (!line.isSettled) line.settle({ kind: 'not-run' });
  }

  #show(lines: readonly TreeLine[], heading?: string): void {
    const { stream } = this.#options;
    this.#shown = this.#shown.then(async () => {
      const notices = this.#notices.splice(0);
      this.#list = createTreeList(lines, {
        stream,
        paint: this.#paint,
        notices,
        ...(heading === undefined ? {} : { heading }),
      });
      try {
        await this.#list.run();
      } finally {
        this.#list = undefined;
      }
    });
    // A list that cannot be drawn is told of by finish(); until then nobody waits for it.
    this.#shown.catch(() => {});
  }
}
