import type { FlowEvent, Phase, RunKind } from '../events/event.ts';

interface Run {
  readonly kind: RunKind;
  readonly id: string;
  readonly source: string;
  readonly destination: string;
}

/** How a run stands, as its events tell: for a person who leaves it at once. */
export class Standing {
  #run: Run | undefined;
  #hasLock = false;
  #phase: Phase | undefined;
  #isReleased = false;
  #isRollingBack = false;
  readonly #isTakenUp: boolean;

  /** @param isTakenUp an earlier attempt has left something on the hosts, whatever this one has done so far */
  constructor({ isTakenUp = false }: { readonly isTakenUp?: boolean } = {}) {
    this.#isTakenUp = isTakenUp;
  }

  readonly onEvent = (event: FlowEvent): void => {
    if (event.kind === 'run-started') {
      this.#run = {
        ...{ id: event.runId, kind: event.runKind },
        ...{ source: event.source, destination: event.destination },
      };
    }
    if (event.kind === 'step-started' && event.stepId === 'lock') this.#hasLock = true;
    if (event.kind === 'phase-started') {
      if (this.#phase === 'release') this.#isReleased = true;
      this.#phase = event.phase;
    }
    // What begins anew after a rollback has a run of its own to tell of.
    if (event.kind === 'run-started') this.#isRollingBack = false;
    if (event.kind === 'rollback-started') this.#isRollingBack = true;
    if (event.kind === 'run-finished') this.#run = undefined;
  };

  /** Where the workload is, what is left on which host, and the commands that go on; whole sentences, a line each. */
  describe(): string {
    const run = this.#run;
    if (!run && this.#isTakenUp) return 'Nothing was touched by this take-up.';
    const hasBegun = this.#hasLock || this.#phase !== undefined || this.#isRollingBack || this.#isTakenUp;
    if (!run || !hasBegun) return 'Nothing was touched.';
    if (run.kind !== 'move') return this.#describeOneHost(run);
    const { id, source, destination } = run;
    const left = `Left on ${source} and ${destination}: the run's lock`;
    const files = `${left}, /var/lib/criu-flow/${id}-*, criu and its rules.`;
    const then = (verb: string): string => `Go on with: criu-flow status ${id}, then criu-flow ${verb} ${id}`;
    if (this.#isRollingBack) {
      return `The rollback has begun and has not come to its end: the workload runs on ${source}, or will when it is rolled back.\n${files}\n${then('rollback')}`;
    }
    if (this.#isTakenUp && this.#phase === undefined) {
      return `The run was taken up, and stands as the hosts say.\n${files}\nGo on with: criu-flow status ${id}`;
    }
    switch (this.#phase) {
      case undefined:
        return `The workload runs on ${source}.\n${left}.\n${then('rollback')}`;
      case 'prepare':
        return `The workload runs on ${source}.\n${files}\n${then('rollback')}`;
      case 'freeze':
      case 'transfer':
      case 'restore':
        return `The workload is frozen on ${source}, or runs there again within 30 s.\n${files}\n${then('rollback')}`;
      case 'commit':
      case 'release':
        return `The commit has begun: nobody runs until it is brought to its end. The images are on the destination.\n${files}\n${then('resume')}`;
      case 'keep':
      case 'verify':
      case 'clean-up':
        return this.#isReleased
          ? `The workload runs on ${destination}.\n${files}\n${then('resume')}`
          : `Where the workload runs is not sure from here.\n${files}\n${then('rollback')}`;
    }
  }

  #describeOneHost({ id, kind, source: host }: Run): string {
    const then = (verb: string): string =>
      `Left on ${host}: the run's lock, /var/lib/criu-flow/${id}-*, criu and its rules.\n` +
      `Go on with: criu-flow status ${id}, then criu-flow ${verb} ${id}`;
    if (kind === 'checkpoint') {
      const isFrozen = this.#phase === 'freeze' || this.#phase === 'transfer';
      const where = isFrozen ? `is frozen on ${host}, or runs there again within 30 s` : `runs on ${host}`;
      return `The workload ${where}.\n${then('rollback')}`;
    }
    if (this.#isReleased) return `The workload runs on ${host}.\n${then('resume')}`;
    const isPast = this.#phase === 'commit' || this.#phase === 'release';
    return isPast && !this.#isRollingBack
      ? `The workload is rebuilt on ${host}, and waits until it is let go.\n${then('resume')}`
      : `The workload does not run on ${host}; its checkpoint is as it was.\n${then('rollback')}`;
  }
}
