import type { GoOn, SequenceRunEnd, SequenceSummary } from '../events/sequence-event.ts';
import { formatFailure } from './failure.ts';
import type { Paint, Tint } from './format.ts';
import { sanitizeLine } from './sanitize.ts';
import { endingOf } from './summary.ts';

/**
 * The closing text of a sequence: how it ended, where the workload of each run is now, and how to go on. No line feed at the
 * end.
 */
export function formatSequenceSummary(summary: SequenceSummary, paint: Paint): string {
  const { outcome, runs, goOn } = summary;
  const headline = paint(TINTS[outcome], headlineOf(summary));
  if (outcome === 'refused') return headline;
  return [
    headline,
    runs.map((run) => formatRun(run, paint)).join('\n'),
    ...(goOn ? [formatGoOn(goOn, runs)] : []),
  ].join('\n\n');
}

const TINTS: Readonly<Record<SequenceSummary['outcome'], Tint>> = {
  done: 'good',
  refused: 'warning',
  stopped: 'warning',
};

/** An exit code above it is a signal's. */
const SIGNALS = 128;

function headlineOf({ name, outcome, exitCode, runs, goOn }: SequenceSummary): string {
  const title = sanitizeLine(name);
  const begun = runs.filter(({ state }) => state !== 'left-out');
  switch (outcome) {
    case 'done':
      return `${title}: ${begun.length === 1 ? '1 run has' : `${begun.length} runs have`} ended well.`;
    case 'refused':
      return exitCode > SIGNALS
        ? `${title}: interrupted before anything was touched.`
        : `${title}: refused before anything was touched. What is in the way is said above, under its run.`;
    case 'stopped': {
      const at = runs.find(({ number }) => number === goOn?.run);
      const where = at?.state === 'not-begun' ? 'before' : 'at';
      return `${title}: stopped ${where} run ${goOn?.run} of ${runs.length}.`;
    }
  }
}

function formatRun(run: SequenceRunEnd, paint: Paint): string {
  const label = `run ${run.number}`;
  const [first = '', ...more] = describeEnd(run, paint).split('\n');
  const margin = ' '.repeat(label.length + 4);
  return [
    `  ${paint('faint', label)}  ${sanitizeLine(run.title)}`,
    `${margin}${first}`,
    ...more.map((line) => `${margin}${line}`),
  ].join('\n');
}

function describeEnd(run: SequenceRunEnd, paint: Paint): string {
  switch (run.state) {
    case 'ended': {
      const { runId, exitCode } = run.summary;
      const id = paint('faint', `(run ${sanitizeLine(runId)})`);
      return `${paint(exitCode === 0 ? 'good' : 'warning', `${endingOf(run.summary)}.`)} ${id}`;
    }
    case 'failed':
      return formatFailure(run.failure, { paint });
    case 'left-out':
      return paint('faint', 'Left out by --from.');
    case 'not-begun':
      return `Not begun: nothing was touched on ${sanitizeLine(run.source)}.`;
  }
}

/** What to paste, in its order. */
function formatGoOn({ run, workload, first, again, next }: GoOn, runs: readonly SequenceRunEnd[]): string {
  const at = runs.find(({ number }) => number === run);
  const [source, destination] = [at?.source ?? '', at?.destination ?? ''].map(sanitizeLine);
  const isBegun = at?.state !== 'not-begun';
  const paste = (words: string, command: string | undefined): readonly string[] =>
    command === undefined ? [] : [words, `  ${sanitizeLine(command)}`];
  const before =
    first.length === 0
      ? []
      : [`First do about run ${run} what is said above:`, ...first.map((each) => `  ${sanitizeLine(each)}`)];
  switch (workload) {
    case 'not-moved':
      return [
        ...paste(isBegun ? `To go on, once the cause of that is mended:` : 'To go on:', again),
        ...paste(`To go on without run ${run}:`, next),
      ].join('\n');
    case 'moved':
      return [...before, ...paste(`To go on with run ${run + 1}:`, next)].join('\n');
    case 'unknown':
      return [
        ...before,
        ...paste(`Then, when its workload runs on ${source}, to go on with run ${run}:`, again),
        ...paste(`or, when it runs on ${destination}, with run ${run + 1}:`, next),
      ].join('\n');
  }
}
