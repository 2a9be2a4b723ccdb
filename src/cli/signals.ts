import { FlowError } from '../errors/flow-error.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** 128 + the signal's number, as shells report it. */
const EXIT_CODES: Readonly<Record<(typeof SIGNALS)[number], number>> = {
  SIGINT: 130,
  SIGTERM: 143,
  SIGHUP: 129,
};

/**
 * Aborts on the first signal, with INTERRUPTED; leaves at once on the second. What the first does is told on standard
 * error, since the report may be elsewhere.
 */
export function abortOnSignals(): { readonly signal: AbortSignal; readonly stop: () => void } {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    const known = SIGNALS.find((each) => each === name) ?? 'SIGINT';
    if (controller.signal.aborted) {
      process.stderr.write(
        'criu-flow: left in the middle of rolling back. Before the commit the workload resumes on the source by itself within 30 s.\n',
      );
      process.exit(EXIT_CODES[known]);
    }
    process.stderr.write(
      `criu-flow: ${known}, rolling back. Once more leaves at once, without rolling back.\n`,
    );
    // The evidence tells the exit code.
    controller.abort(new FlowError('INTERRUPTED', `Interrupted by ${known}`, { evidence: known }));
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    stop: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
