import { FlowError } from '../errors/flow-error.ts';
import type { FlowEvent, Phase } from '../events/event.ts';
import type { RunDirectory } from '../store/run-directory.ts';

/**
 * Writes a run's events down. What is about to happen is on disk before it does, and what has come of it right after: a
 * command that must not run twice would else be repeated after a power cut.
 */
export class Journal {
  readonly #directory: RunDirectory;
  #isLost = false;
  #hasCommitted = false;
  #isInPause = false;

  constructor(directory: RunDirectory) {
    this.#directory = directory;
  }

  /**
   * Nothing begins that cannot be written down, up to the commit. What has begun goes on to its end all the same: half a rollback, or a
   * commit without the release, would be worse than a gap in the journal.
   * @returns a warning, the first time that something could not be written down
   * @throws FlowError JOURNAL_FAILED when a step that is to begin, or the strategy that is chosen, cannot be written down
   */
  note(event: FlowEvent): string | undefined {
    if (event.kind === 'phase-started') {
      if (event.phase === 'release') this.#hasCommitted = true;
      this.#isInPause = PAUSE.has(event.phase);
    }
    if (event.kind === 'rollback-started') this.#isInPause = false;
    if (event.kind === 'step-progress' || event.kind === 'step-detail') return undefined;
    try {
      this.#directory.append(event, { durable: this.#isDurable(event) });
      return undefined;
    } catch (error) {
      if (isBegin(event) && !this.#hasCommitted) throw error;
      const why = error instanceof FlowError ? (error.evidence ?? error.message) : String(error);
      const text = `From here on the journal in ${this.#directory.path} is not complete: ${why}`;
      const isNew = !this.#isLost;
      this.#isLost = true;
      return isNew ? text : undefined;
    }
  }

  /** While the workload is frozen the next step begins at once, and takes what came of the last one to the disk with it. */
  #isDurable({ kind }: FlowEvent): boolean {
    return (
      kind === 'strategy-chosen' ||
      kind.endsWith('-started') ||
      (kind.endsWith('-finished') && !(this.#isInPause && kind === 'step-finished'))
    );
  }
}

/** Of something that whoever takes the run up must know of. */
function isBegin(event: FlowEvent): boolean {
  return event.kind === 'strategy-chosen' || (event.kind === 'step-started' && event.stepId !== 'clean-up');
}

const PAUSE: ReadonlySet<Phase> = new Set(['freeze', 'transfer', 'restore', 'commit']);
