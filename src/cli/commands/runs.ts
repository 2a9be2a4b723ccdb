import { FlowError } from '../../errors/flow-error.ts';
import type { FlowEvent, RunOutcome } from '../../events/event.ts';
import { toFailureData } from '../../events/failure-data.ts';
import { quoteArguments } from '../../host/quote.ts';
import { type Controller, parseController, stateOf } from '../../lock/controller.ts';
import { createPaint, formatBytes, type Tint, wantsColor } from '../../report/format.ts';
import { createPlainReporter } from '../../report/plain.ts';
import type { ReportStream } from '../../report/reporter.ts';
import { sanitizeForTerminal, sanitizeLine, toSafeJson } from '../../report/sanitize.ts';
import { runName } from '../../store/flow-command.ts';
import type { JournalRecord } from '../../store/journal-format.ts';
import { findRun, followRun, type ListedRun, listRuns, scanRun } from '../../store/list-runs.ts';
import { isOver, isOverSince, removeRun, sizeOf, sweepRemoved } from '../../store/prune-runs.ts';

/** `criu-flow runs`: the runs of this user, newest first. @returns 0 */
export function runsCommand(options: { readonly json: boolean }): number {
  const runs = listRuns();
  if (options.json) {
    process.stdout.write(`${toSafeJson(runs.map(toJson))}\n`);
    return 0;
  }
  if (runs.length === 0) {
    process.stdout.write('no runs yet: criu-flow run --help says how to begin one\n');
    return 0;
  }
  const paint = createPaint(wantsColor(process.env, process.stdout));
  const rows = runs.map((run) => ({ run, cells: cellsOf(run) }));
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...rows.map(({ cells }) => cells[column]?.length ?? 0)),
  );
  const format = (cells: readonly string[], tints: readonly (Tint | undefined)[]): string =>
    cells
      .map((cell, column) => {
        const tint = tints[column];
        const padded = column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0);
        return tint === undefined ? padded : paint(tint, padded);
      })
      .join('  ');
  const faint = HEADINGS.map(() => 'faint' as const);
  const lines = [
    format(HEADINGS, faint),
    ...rows.map(({ run, cells }) => format(cells, [...Array<undefined>(ENDING_COLUMN), tintOf(run)])),
    ...advice(runs),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}

/** `criu-flow runs show`: what happened in a run. @returns 0 @throws FlowError RUN_NOT_FOUND, USAGE, JOURNAL_CORRUPT */
export function showRunCommand(name: string, options: { readonly json: boolean }): number {
  const { journals, ...run } = scanRun(findRun(name));
  if (options.json) {
    process.stdout.write(`${toSafeJson({ ...toJson(run), journals })}\n`);
  } else {
    const replay = createReplay();
    for (const { records } of journals) for (const record of records) replay(record);
    if (run.state.kind === 'open') process.stdout.write(`\n${describeOpen(run)}\n`);
  }
  if ('damage' in run.state) throw explainDamage(run, run.state.damage);
  return 0;
}

/**
 * `criu-flow runs tail`: what happens in a run, until its end. @returns 0, or 6 when its controller has ended without
 * one @throws FlowError RUN_NOT_FOUND, USAGE, JOURNAL_CORRUPT
 */
export async function tailRunCommand(name: string): Promise<number> {
  const path = findRun(name);
  const run = scanRun(path);
  const replay = createReplay();
  let controller: Controller | undefined;
  const lostReader = new AbortController();
  process.stdout.once('error', () => lostReader.abort());
  const records = followRun(path, {
    isAbandoned: () => controller !== undefined && stateOf(controller) === 'ended',
    signal: lostReader.signal,
  });
  try {
    for (;;) {
      const next = await records.next();
      if (next.done === true) {
        if (next.value !== 'abandoned') return 0;
        process.stdout.write(`\n${describeOpen(scanRun(path))}\n`);
        return 6;
      }
      if (next.value.kind === 'attempt') controller = parseController(next.value['controller']);
      replay(next.value);
    }
  } catch (error) {
    if (error instanceof FlowError && error.code === 'JOURNAL_CORRUPT') throw explainDamage(run, error);
    throw error;
  }
}

export interface PruneOptions {
  readonly names: readonly string[];
  /** As typed: a number and its unit. */
  readonly olderThan: string | undefined;
  readonly force: boolean;
  readonly dryRun: boolean;
}

const DEFAULT_AGE = '30d';

/**
 * `criu-flow runs prune`: removes the directories of runs that are over. @returns 0
 * @throws FlowError USAGE, RUN_NOT_FOUND, LOCKED while the controller of a named run is at work, COMMAND_FAILED
 */
export function pruneRunsCommand({ names, olderThan, force, dryRun }: PruneOptions): number {
  if (names.length > 0 && olderThan !== undefined) {
    throw new FlowError('USAGE', 'Name runs, or say with --older-than which are meant', {
      hint: 'Runs that are named are removed whatever their age.',
    });
  }
  if (names.length === 0 && force) {
    throw new FlowError('USAGE', '--force is for runs that are named', {
      hint: 'Of a run without an end the directory is all that resume and rollback have to go by.',
    });
  }
  const ageMs = parseAge(olderThan ?? DEFAULT_AGE);
  const runs = listRuns();
  const chosen =
    names.length > 0
      ? namedRuns(names, runs, force)
      : runs.filter(({ state }) => isOverSince(state, ageMs, Date.now()));
  let total = 0;
  for (const run of chosen) {
    const bytes = sizeOf(run.path);
    if (!dryRun) removeRun(run.path);
    total += bytes;
    const cells = cellsOf(run);
    process.stdout.write(
      `${dryRun ? 'would remove' : 'removed'} ${cells[0]}  ${cells[1]}  ${cells[ENDING_COLUMN]}  ${formatBytes(bytes)}\n`,
    );
  }
  if (!dryRun) sweepRemoved();
  const what = names.length > 0 ? '' : ` that ended more than ${olderThan ?? DEFAULT_AGE} ago`;
  process.stdout.write(
    `${dryRun ? 'would remove' : 'removed'} ${countOf(chosen.length, 'run')}${what}, ${formatBytes(total)}\n`,
  );
  const unfinished = runs.filter(({ state }) => !isOver(state)).length;
  if (names.length === 0 && unfinished > 0) {
    process.stdout.write(
      `kept ${countOf(unfinished, 'run')} that came to no end, need a person or cannot be read: criu-flow runs lists them\n`,
    );
  }
  return 0;
}

/** All of them are checked before the first is removed. */
function namedRuns(names: readonly string[], runs: readonly ListedRun[], force: boolean): ListedRun[] {
  const paths = new Set(
    names.map((name) => {
      // A copy of a run directory elsewhere is not ours to remove.
      if (name.includes('/')) throw new FlowError('USAGE', `${JSON.stringify(name)} is no id of a run`);
      return findRun(name);
    }),
  );
  return runs.filter((run) => {
    if (!paths.has(run.path)) return false;
    const controller = run.state.kind === 'open' ? parseController(run.state.controller) : undefined;
    if (controller && stateOf(controller) === 'alive') {
      throw new FlowError('LOCKED', `Run ${run.id} is still at work`, {
        evidence: describeController(controller),
        hint: 'Let it come to its end, or interrupt it with ^C.',
      });
    }
    if (!force && !isOver(run.state)) {
      throw new FlowError(
        'USAGE',
        `Run ${run.id} came to no end, needs a person or cannot be read; nothing was removed`,
        {
          hint: 'See first where its workload is. With --force its directory is removed all the same, and with it the way to resume it or roll it back.',
          command: `criu-flow status ${quote(run.id)}`,
        },
      );
    }
    return true;
  });
}

const AGE_UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @throws FlowError USAGE */
function parseAge(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const unitMs = AGE_UNITS_MS[unit];
  if (digits === undefined || unitMs === undefined) {
    throw new FlowError('USAGE', `${JSON.stringify(text)} is no age such as 30d, 12h or 90m`);
  }
  return Number(digits) * unitMs;
}

const HEADINGS = ['run', 'began', 'recipe', 'from', 'to', 'ended', 'left the workload'] as const;
const ENDING_COLUMN = 5;
const MAX_RECIPE_LENGTH = 44;

function cellsOf(run: ListedRun): string[] {
  const recipe = sanitizeLine(run.recipe ?? '?');
  return [
    sanitizeLine(run.id),
    localTime(run.beganAt),
    recipe.length > MAX_RECIPE_LENGTH ? `${recipe.slice(0, MAX_RECIPE_LENGTH - 1)}…` : recipe,
    sanitizeLine(run.source ?? '?'),
    sanitizeLine(run.destination ?? '?'),
    endingOf(run),
    whereabouts(run),
  ];
}

const ENDINGS: Readonly<Record<RunOutcome, string>> = {
  done: 'moved',
  'moved-but-missed': 'moved, but missed',
  refused: 'refused',
  'rolled-back': 'rolled back',
  'rollback-incomplete': 'A PERSON IS NEEDED',
  superseded: 'taken over',
  locked: 'locked',
};

function endingOf({ state }: ListedRun): string {
  switch (state.kind) {
    case 'damaged':
      return 'journal damaged';
    case 'unknown-version':
      return 'unknown version';
    case 'ended':
      return isKnown(ENDINGS, state.outcome) ? ENDINGS[state.outcome] : sanitizeLine(state.outcome);
    case 'open':
      return { alive: 'at work', ended: 'NO END', elsewhere: 'no end yet' }[whoWorks(state.controller)];
  }
}

function tintOf({ state }: ListedRun): Tint | undefined {
  if (state.kind === 'open') return whoWorks(state.controller) === 'alive' ? 'strong' : 'bad';
  if (state.kind === 'unknown-version') return 'faint';
  if (state.kind === 'damaged' || !isOver(state)) return 'bad';
  return state.outcome === 'done' ? 'good' : 'warning';
}

function whereabouts({ state, source, destination }: ListedRun): string {
  if (state.kind !== 'ended') return 'not known';
  switch (state.workloadIsOn) {
    case 'source':
      return `on ${sanitizeLine(source ?? 'the source')}`;
    case 'destination':
      return `on ${sanitizeLine(destination ?? 'the destination')}`;
    case 'nowhere':
      return 'NOWHERE';
    default:
      return 'not known';
  }
}

const MAX_ADVICE = 5;

/** What to do about those runs that need somebody. */
function advice(runs: readonly ListedRun[]): string[] {
  const lines: string[] = [];
  const add = (text: string, command: string, concerned: readonly ListedRun[]): void => {
    if (concerned.length === 0) return;
    lines.push('', text, ...concerned.slice(0, MAX_ADVICE).map(({ id }) => `  ${command} ${quote(id)}`));
    if (concerned.length > MAX_ADVICE) lines.push(`  … and ${concerned.length - MAX_ADVICE} more`);
  };
  add(
    'Not over: this says where the workload is alive, and what to do next:',
    'criu-flow status',
    runs.filter(({ state }) =>
      state.kind === 'open'
        ? whoWorks(state.controller) !== 'alive'
        : state.kind === 'ended' && !isOver(state),
    ),
  );
  add(
    'Damaged: this shows what is left, and where the damage is:',
    'criu-flow runs show',
    runs.filter(({ state }) => state.kind === 'damaged'),
  );
  return lines;
}

function describeOpen(run: ListedRun): string {
  const controller = run.state.kind === 'open' ? parseController(run.state.controller) : undefined;
  const who = controller ? ` (${describeController(controller)})` : '';
  // A copy of a run directory elsewhere is named by its path.
  const name = quote(runName({ runId: run.id, path: run.path }));
  if (run.state.kind === 'open' && whoWorks(run.state.controller) === 'alive') {
    return `This run is at work${who}. To follow it:\n  criu-flow runs tail ${name}`;
  }
  const what =
    controller && stateOf(controller) === 'ended'
      ? `This run has NO END: its controller${who} is gone.`
      : `This run has no end yet. Its controller${who} cannot be seen from here.`;
  return `${what}\nWhere the workload is alive, and what to do next:\n  criu-flow status ${name}`;
}

/** A journal that cannot be read: what to look at instead. */
function explainDamage(run: ListedRun, damage: FlowError): FlowError {
  const { code, message, cause } = damage;
  const isVersion = run.state.kind === 'unknown-version';
  if (isVersion || run.source === undefined || run.destination === undefined) {
    return new FlowError(code, message, {
      hint: `${damage.hint ?? ''} less shows its lines, with what would steer the terminal escaped.`,
      command: `less -- ${quote(`${run.path}/journal.jsonl`)}`,
      cause,
    });
  }
  const config = run.sshConfigFile === undefined ? [] : ['--ssh-config', run.sshConfigFile];
  return new FlowError(code, message, {
    hint: damage.hint ?? '',
    command: quote('criu-flow', 'locks', ...config, '--', run.source, run.destination),
    cause,
  });
}

/** Prints the records of a journal on standard output, each as it was shown when it happened. */
function createReplay(): (record: JournalRecord) => void {
  const stream: ReportStream = process.stdout;
  const color = wantsColor(process.env, process.stdout);
  const paint = createPaint(color);
  let startedAtMs = 0;
  let atMs = 0;
  const reporter = createPlainReporter({
    stream,
    errorStream: stream,
    color,
    now: () => atMs,
  });
  const note = (text: string): void => {
    const elapsed = ((atMs - startedAtMs) / 1000).toFixed(2).padStart(6);
    stream.write(`${paint('faint', `[${elapsed}s]`)} ${text}\n`);
  };
  let attempts = 0;
  return (record) => {
    const time = Date.parse(record.at);
    if (Number.isFinite(time)) atMs = time;
    if (startedAtMs === 0 || record.kind === 'run-started') startedAtMs = atMs;
    const safe = cleanFields(record);
    switch (record.kind) {
      case 'journal':
        return;
      case 'attempt':
        attempts += 1;
        stream.write(`${attempts === 1 ? '' : '\n'}${paint('strong', describeAttempt(safe, attempts))}\n`);
        return;
      case 'workload':
        note(describeWorkload(safe));
        return;
      default:
        if (isKnown(EVENTS, record.kind)) {
          try {
            // The reporter writes once, when it has read all fields: one that is not as it expects leaves no half line.
            reporter.onEvent(safe as unknown as FlowEvent);
            return;
          } catch {
            // Another version has other fields: shown as they are.
          }
        }
        note(describeUnknown(safe));
    }
  };
}

/** A type error here: say how the new kind is shown. */
const EVENTS: Readonly<Record<FlowEvent['kind'], true>> = {
  'run-started': true,
  'phase-started': true,
  'step-started': true,
  'step-detail': true,
  'step-progress': true,
  'step-finished': true,
  'block-finished': true,
  'strategy-chosen': true,
  'result-registered': true,
  'approval-awaited': true,
  warning: true,
  'rollback-started': true,
  'undo-started': true,
  'undo-finished': true,
  'run-finished': true,
};

function describeAttempt(record: Fields, count: number): string {
  const controller = parseController(record['controller']);
  const who = controller ? `, by ${describeController(controller)}` : '';
  return `attempt ${count}: ${String(record['goal'])}, ${localTime(record['at'])}${who}`;
}

function describeWorkload(record: Fields): string {
  const workload = isFields(record['workload']) ? record['workload'] : {};
  const processes: readonly unknown[] = Array.isArray(workload['processes']) ? workload['processes'] : [];
  const [root] = processes;
  if (!isFields(root)) return describeUnknown(record);
  const more = processes.length > 1 ? ` and ${countOf(processes.length - 1, 'more process', 'es')}` : '';
  return `workload: ${shorten(String(root['command']))} (pid ${String(root['pid'])})${more}`;
}

function describeUnknown(record: Fields): string {
  const fields = { ...record, sequence: undefined, at: undefined, kind: undefined };
  return `${String(record['kind'])}: ${shorten(toSafeJson(fields))}`;
}

const MAX_LENGTH = 300;

function shorten(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}… (--json has it all)` : text;
}

type Fields = Readonly<Record<string, unknown>>;

/** These may have several lines; who prints them knows. */
const TEXTS: ReadonlySet<string> = new Set(['evidence', 'hint', 'stack']);
const MAX_DEPTH = 32;

/** The record with every text in it safe to print, whatever its type says: a journal can be anybody's. */
function cleanFields(record: Fields, depth = 0): Fields {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [sanitizeLine(name), clean(value, TEXTS.has(name), depth)]),
  );
}

function clean(value: unknown, isText: boolean, depth: number): unknown {
  if (typeof value === 'string') return isText ? sanitizeForTerminal(value) : sanitizeLine(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.map((each: unknown) => clean(each, isText, depth + 1));
  return cleanFields(value as Fields, depth + 1);
}

function toJson(run: ListedRun): Fields {
  const { state, ...rest } = run;
  if ('damage' in state) return { ...rest, state: state.kind, damage: toFailureData(state.damage) };
  if (state.kind === 'ended') {
    const { kind, ...end } = state;
    return { ...rest, state: kind, isOver: isOver(state), ...end };
  }
  const controller = parseController(state.controller);
  return {
    ...rest,
    state: { alive: 'at-work', ended: 'no-end', elsewhere: 'no-end-yet' }[whoWorks(controller)],
    controller,
  };
}

/** `elsewhere` also when nothing tells who it is. */
function whoWorks(value: unknown): ReturnType<typeof stateOf> {
  const controller = parseController(value);
  return controller ? stateOf(controller) : 'elsewhere';
}

function describeController({ machine, user, pid }: Controller): string {
  return sanitizeLine(`${user} on ${machine}, pid ${pid}`);
}

/** `2026-11-23 14:23:39`, in the time of this machine. */
function localTime(value: unknown): string {
  const date = new Date(String(value));
  if (Number.isNaN(date.getTime())) return '?';
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

function countOf(count: number, noun: string, plural = 's'): string {
  return `${count} ${noun}${count === 1 ? '' : plural}`;
}

/** For a command to paste. What cannot be printed cannot be pasted either. */
function quote(...words: readonly string[]): string {
  return words.map((word) => quoteArguments(['x', sanitizeLine(word)]).slice(2)).join(' ');
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function isKnown<Key extends string>(table: Readonly<Record<Key, unknown>>, key: string): key is Key {
  return Object.hasOwn(table, key);
}
