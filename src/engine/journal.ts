import { FlowError } from '../errors/flow-error.ts';
import type { FlowEvent } from '../events/event.ts';
import type { RunDirectory } from '../store/run-directory.ts';

/** Writes a run's events down. What is about to happen is on disk before it does. */
export class Journal {
  readonly #directory: RunDirectory;
  #isLost = false;

  constructor(directory: RunDirectory) {
    this.#directory = directory;
  }

  /**
   * Nothing begins that cannot be written down. What has begun goes on to its end all the same: half a rollback, or a
   * commit without the release, would be worse than a gap in the journal.
   * @returns a warning, the first time that something could not be written down
   * @throws FlowError COMMAND_FAILED when a step that is to begin cannot be written down
   */
  note(event: FlowEvent): string | undefined {
    if (event.kind === 'step-progress' || event.kind === 'step-detail') return undefined;
    try {
      this.#directory.append(event, { durable: event.kind.endsWith('-started') });
      return undefined;
    } catch (error) {
      const text = `The journal ${this.#directory.path} cannot be written: ${error instanceof Error ? error.message : String(error)}`;
      if (event.kind === 'step-started' && event.stepId !== 'clean-up') {
        throw new FlowError('COMMAND_FAILED', text, {
          host: 'local',
          hint: 'Free some space on that disk.',
          cause: error,
        });
      }
      const isNew = !this.#isLost;
      this.#isLost = true;
      return isNew ? text : undefined;
    }
  }
}
