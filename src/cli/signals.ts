import { FlowError } from '../errors/flow-error.ts';
import type { Standing } from './standing.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** 128 + the signal's number, as shells report it. */
const EXIT_CODES: Readonly<Record<(typeof SIGNALS)[number], number>> = {
  SIGINT: 130,
  SIGTERM: 143,
  SIGHUP: 129,
};

/**
 * Aborts on the first signal, with INTERRUPTED; leaves at once on the second.
 * @param tell takes what a person should know at once, which may not wait for the report
 * @param standing knows what is left when it is left at once
 */
export function abortOnSignals(
  tell: (text: string) => void,
  standing: Pick<Standing, 'describe'>,
): {
  readonly signal: AbortSignal;
  readonly stop: () => void;
} {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    const known = SIGNALS.find((each) => each === name) ?? 'SIGINT';
    if (controller.signal.aborted) {
      tell(`${known} again: left as it stands.\n${standing.describe()}`);
      process.exit(EXIT_CODES[known]);
    }
    tell(`${known}: rolling back, unless the commit is behind. ^C again leaves at once, as it stands.`);
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
