import type { Phase, ProbeReport, RunKind, RunOutcome, RunSummary, ToDo } from '../events/event.ts';
import { formatFailure } from './failure.ts';
import {
  createPaint,
  formatBytes,
  formatDuration,
  formatUpperBound,
  type Paint,
  type Tint,
} from './format.ts';
import { sanitizeLine } from './sanitize.ts';
import { formatCompression } from './compression.ts';
import { strategyRows } from './strategy.ts';

export interface SummaryContext {
  /** The step that failed first, for people. */
  readonly failedStep?: string | undefined;
  readonly paint?: Paint;
}

const MAX_COMMAND_LENGTH = 120;

const PHASES: readonly Phase[] = [
  'prepare',
  'freeze',
  'transfer',
  'restore',
  'commit',
  'release',
  'keep',
  'verify',
  'clean-up',
];

/**
 * The closing text of a run. Its first line says how the run ended and where the workload is alive now: that is what
 * somebody who was woken up needs first. No line feed at the end.
 */
export function formatSummary(summary: RunSummary, context: SummaryContext = {}): string {
  const paint = context.paint ?? createPaint(false);
  const blocks = [
    paint(headlineTint(summary), `${endingOf(summary)}.`),
    formatTable(tableRows(summary), paint),
  ];
  if (summary.failure) blocks.push(formatFailure(summary.failure, { step: context.failedStep, paint }));
  for (const failure of summary.undoFailures) {
    const when = failure.code === 'WORKLOAD_LOST' ? 'after that:' : 'while rolling back:';
    blocks.push(`${paint('bad', when)} ${formatFailure(failure, { paint })}`);
  }
  if (summary.toDo) blocks.push(formatToDo(summary.outcome, summary.toDo));
  if (summary.warnings.length > 0) {
    blocks.push(
      summary.warnings.map((text) => `${paint('warning', 'warning:')} ${sanitizeLine(text)}`).join('\n'),
    );
  }
  blocks.push(`${paint('faint', 'run directory:')} ${sanitizeLine(summary.runDirectory)}`);
  return blocks.join('\n\n');
}

/** How a run ended and where the workload is alive now, in one sentence without a full stop. */
export function endingOf(summary: RunSummary): string {
  return `${ending(summary)}: ${whereabouts(summary)}`;
}

function ending(summary: RunSummary): string {
  switch (summary.outcome) {
    case 'done':
      return DONE[summary.kind];
    case 'moved-but-missed':
      return `${DONE[summary.kind]}, but an objective or a check was missed`;
    case 'refused':
      return `${isStopped(summary) ? cause(summary) : 'Refused'} before anything was touched`;
    case 'rolled-back':
      return summary.failure ? `${cause(summary)} and rolled back` : 'Rolled back';
    case 'superseded':
      return 'Left to the controller that has taken this run up';
    case 'locked':
      return 'Not taken up, since another run has this workload or its process ids';
    case 'rollback-incomplete':
      return `${cause(summary)}, and A PERSON IS NEEDED`;
  }
}

/** What a run of each kind has done when it ends well. */
const DONE: Readonly<Record<RunKind, string>> = {
  move: 'Moved',
  checkpoint: 'Checkpoint kept',
  restore: 'Restored from the checkpoint',
};

function isStopped(summary: RunSummary): boolean {
  return summary.failure?.code === 'INTERRUPTED' || summary.failure?.code === 'TIMEOUT';
}

function cause(summary: RunSummary): string {
  if (summary.failure?.code === 'INTERRUPTED') return 'Interrupted';
  if (summary.failure?.code === 'TIMEOUT') return 'Timed out';
  return 'Failed';
}

function whereabouts(summary: RunSummary): string {
  const source = sanitizeLine(summary.source);
  const destination = sanitizeLine(summary.destination);
  if (summary.kind !== 'move') return whereaboutsOnOneHost(summary, source);
  switch (summary.workloadIsOn) {
    case 'source':
      return `the workload runs on ${source} (the source)`;
    case 'destination':
      return `the workload runs on ${destination} (the destination)`;
    case 'nowhere':
      return `THE WORKLOAD RUNS NEITHER on ${source} NOR on ${destination}`;
    case 'unknown':
      // Nothing was touched, so not knowing where it runs is no alarm: it was perhaps not even found.
      if (summary.outcome === 'superseded') return 'what becomes of the workload is decided there';
      if (summary.outcome === 'refused') return `the workload was not seen on ${source}`;
      return `WHERE THE WORKLOAD RUNS IS NOT KNOWN, look at ${source} and ${destination}`;
  }
}

function whereaboutsOnOneHost({ kind, workloadIsOn, outcome }: RunSummary, host: string): string {
  const isRestore = kind === 'restore';
  switch (workloadIsOn) {
    case 'source':
    case 'destination':
      return `the workload runs on ${host}`;
    case 'nowhere':
      return isRestore
        ? `the workload does not run on ${host}; its checkpoint is as it was`
        : `THE WORKLOAD DOES NOT RUN on ${host} any more`;
    case 'unknown':
      if (outcome === 'superseded') return 'what becomes of the workload is decided there';
      if (outcome === 'refused') return `the workload was not ${isRestore ? 'restored' : 'seen'} on ${host}`;
      return `WHETHER THE WORKLOAD RUNS IS NOT KNOWN, look at ${host}`;
  }
}

function headlineTint(summary: RunSummary): Tint {
  if (summary.outcome === 'done') return 'good';
  const isLost = summary.workloadIsOn === 'nowhere' && summary.kind !== 'restore';
  return summary.outcome === 'rollback-incomplete' || isLost ? 'bad' : 'warning';
}

type Row = readonly [label: string, value: string];

function tableRows(summary: RunSummary): Row[] {
  const rows: Row[] = [];
  if (summary.workload) {
    const { command, pid, processes } = summary.workload;
    const count = processes === 1 ? '1 process' : `${processes} processes`;
    rows.push(['workload', `${shorten(sanitizeLine(command))} (pid ${sanitizeLine(String(pid))}, ${count})`]);
  }
  if (summary.imageBytes !== undefined) {
    const size = formatBytes(summary.imageBytes);
    rows.push(
      hasMoved(summary) && summary.kind === 'move'
        ? ['moved', `${size} while it was frozen`]
        : ['images', size],
    );
  }
  if (summary.compression && summary.imageBytes !== undefined)
    rows.push(['compression', formatCompression(summary.compression)]);
  if (summary.strategy) rows.push(...strategyRows(summary.strategy));
  rows.push(...preCopyRows(summary));
  if (summary.downtimeMs !== undefined)
    rows.push([summary.kind === 'checkpoint' ? 'pause' : 'downtime', downtime(summary, summary.downtimeMs)]);
  rows.push(...criuRow(summary));
  if (summary.fetchMs !== undefined)
    rows.push(['', `then its memory was fetched in ${formatDuration(summary.fetchMs)}`]);
  rows.push(...(summary.probes ?? []).map(probeRow));
  rows.push(['took', formatDuration(summary.durationMs)]);
  rows.push(...phaseRows(summary));
  return rows;
}

function hasMoved({ outcome }: RunSummary): boolean {
  return outcome === 'done' || outcome === 'moved-but-missed';
}

/** A command line may be longer than a screen; its beginning tells what it is. */
function shorten(command: string): string {
  return command.length > MAX_COMMAND_LENGTH ? `${command.slice(0, MAX_COMMAND_LENGTH)}…` : command;
}

function downtime(summary: RunSummary, downtimeMs: number): string {
  const { strategy } = summary;
  const expectedMs = strategy?.expectedMs;
  const expected = expectedMs === undefined ? '' : `, expected ${formatDuration(Math.round(expectedMs))}`;
  const bound = `at most ${formatUpperBound(downtimeMs)}${expected}`;
  if (summary.downtimeObjectiveMs === undefined) return bound;
  const missed = downtimeMs > summary.downtimeObjectiveMs ? ', missed' : '';
  return `${bound} (objective ${formatDuration(summary.downtimeObjectiveMs)}${missed})`;
}

const STOPS: Readonly<Record<NonNullable<RunSummary['preCopy']>['stoppedBy'], string>> = {
  objective: 'the objective could be met',
  'nothing-left': 'nothing was left to copy',
  'no-progress': 'the workload writes as fast as is copied',
  'no-room': 'there was no room for more',
  limit: 'there were to be no more',
};

/** What was copied while the workload ran, and what was expected of that. */
function preCopyRows({ preCopy }: RunSummary): readonly Row[] {
  if (preCopy === undefined) return [];
  const { rounds, stoppedBy, expectedDowntimeMs, isCompared = false } = preCopy;
  const sizes = rounds.map(({ sizeBytes }) => formatBytes(sizeBytes)).join(', ');
  return [
    [
      'copied before',
      `${sizes}, in ${rounds.length === 1 ? '1 round' : `${rounds.length} rounds`}${isCompared ? ', each compared with those before' : ''}`,
    ],
    [
      '',
      `no more, since ${STOPS[stoppedBy]}${expectedDowntimeMs === undefined ? '' : `; downtime expected: ${formatDuration(expectedDowntimeMs)}`}`,
    ],
  ];
}

/** What is left of the downtime is the transfer, and what lies between. */
function criuRow({ criuMs = {}, downtimeMs }: RunSummary): readonly Row[] {
  const parts = (['dump', 'restore'] as const).flatMap((what) => {
    const ms = criuMs[what];
    return ms === undefined ? [] : [`${formatDuration(ms)} to ${what}`];
  });
  return downtimeMs === undefined || parts.length === 0 ? [] : [['by criu', parts.join(', ')]];
}

function probeRow({ probe, asked, failed, longestOutageMs, outageMs }: ProbeReport): Row {
  const most =
    outageMs === undefined
      ? ''
      : ` (at most ${formatDuration(outageMs)}${longestOutageMs > outageMs ? ', missed' : ''})`;
  return [
    `probe ${sanitizeLine(probe)}`,
    `${formatUpperBound(longestOutageMs)} without a good answer${most}; asked ${asked} times, ${failed} failed`,
  ];
}

function phaseRows(summary: RunSummary): Row[] {
  return PHASES.flatMap((phase, index) => {
    const milliseconds = summary.phasesMs[phase];
    if (milliseconds === undefined) return [];
    const first = PHASES.findIndex((other) => summary.phasesMs[other] !== undefined) === index;
    return [[first ? 'phases' : '', `${phase.padEnd(9)}${`${Math.round(milliseconds)} ms`.padStart(10)}`]];
  });
}

function formatTable(rows: readonly Row[], paint: Paint): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `  ${paint('faint', label.padEnd(width))}  ${value}`).join('\n');
}

/** What a person has to do, as commands to paste: first look, then put back what could not be put back. */
function formatToDo(outcome: RunOutcome, { look, mend }: ToDo): string {
  const list = (commands: readonly string[]): string[] =>
    commands.map((command) => `  ${sanitizeLine(command)}`);
  if (mend.length === 0) return ['To look how it stands:', ...list(look)].join('\n');
  if (outcome === 'locked') {
    return ['To look how that run stands:', ...list(look), 'then, when it is over:', ...list(mend)].join(
      '\n',
    );
  }
  const next = mend.length === 1 ? 'then, once what failed above is mended:' : 'then:';
  return ['To do by hand, look first:', ...list(look), next, ...list(mend)].join('\n');
}
