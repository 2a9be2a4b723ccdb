import type { Strategy } from '../events/event.ts';
import type { JournalRecord } from '../store/journal-format.ts';
import { STRATEGIES } from '../plan/plan.ts';
import type { StepResult } from '../template/scope.ts';
import type { WorkloadFacts } from '../workload/facts.ts';
import type { KeptImages } from './kept-images.ts';

/** How far a run came, as its journal tells. What is on the hosts counts more. */
export interface Progress {
  /** The highest epoch that an attempt began with; 0 when none did. */
  readonly epoch: number;
  /** That of the last attempt that began the move. */
  readonly movedInEpoch: number;
  readonly workload: WorkloadFacts | undefined;
  /** What told the hosts' boots from others when the last attempt began that began the move. */
  readonly boots: { readonly source: string; readonly destination: string } | undefined;
  /** The ids of the steps that began and were not rolled back since, `prepare` and `clean-up` among them. */
  readonly began: ReadonlySet<string>;
  /** Those that came to an end, good or not. */
  readonly ended: ReadonlySet<string>;
  /** Those that ended well or were skipped, and blocks. */
  readonly finished: ReadonlySet<string>;
  /** What steps registered. */
  readonly results: ReadonlyMap<string, StepResult>;
  /** The ids of the undos that were done, of a rollback that did not come to its end. */
  readonly undone: ReadonlySet<string>;
  /** The source's copy was seen to have ended: the release was about to begin. */
  readonly sourceHasEnded: boolean;
  /** What tells the copy on the destination, which was seen alive there, from other processes. */
  readonly moved: { readonly pid: number; readonly startTicks: number; readonly boot: string } | undefined;
  /** Where its images were kept, when it was to be reverted. */
  readonly kept: KeptImages | undefined;
  /** Which was chosen, when one was. */
  readonly strategy: Strategy | undefined;
  /** How it ended, when it did. */
  readonly outcome: string | undefined;
}

/** Replays a journal. Pure. */
export function readProgress(records: readonly JournalRecord[]): Progress {
  let epoch = 0;
  let movedInEpoch = 1;
  let workload: WorkloadFacts | undefined;
  let boots: Progress['boots'];
  let outcome: string | undefined;
  let sourceHasEnded = false;
  let moved: Progress['moved'];
  let kept: Progress['kept'];
  let strategy: Progress['strategy'];
  let began = new Set<string>();
  let finished = new Set<string>();
  let ended = new Set<string>();
  let undone = new Set<string>();
  let results = new Map<string, StepResult>();
  for (const record of records) {
    switch (record.kind) {
      case 'attempt':
        epoch = Math.max(epoch, Number(record['epoch']));
        outcome = undefined;
        if (record['goal'] === 'run') {
          movedInEpoch = Number(record['epoch']);
          boots = undefined;
          [began, finished, undone] = [new Set(), new Set(), new Set()];
          results = new Map();
          ended = new Set();
          [sourceHasEnded, moved, strategy] = [false, undefined, undefined];
        }
        break;
      case 'workload':
        // What was written with this version's types, as the header says.
        workload = record['workload'] as WorkloadFacts;
        break;
      case 'boots':
        // Later ones are of attempts that took it up.
        boots ??= { source: String(record['source']), destination: String(record['destination']) };
        break;
      case 'phase-started':
        if (record['phase'] === 'release') sourceHasEnded = true;
        break;
      case 'moved':
        moved = {
          pid: Number(record['pid']),
          startTicks: Number(record['startTicks']),
          boot: String(record['boot']),
        };
        break;
      case 'strategy-chosen':
        strategy = isObject(record['report']) ? readStrategy(record['report']['chosen']) : undefined;
        break;
      case 'kept':
        kept = { series: String(record['series']), id: Number(record['id']) };
        break;
      case 'step-started':
        began.add(String(record['stepId']));
        break;
      case 'step-finished':
        ended.add(String(record['stepId']));
        if (isObject(record['result']) && record['result']['status'] !== 'failed') {
          finished.add(String(record['stepId']));
        }
        break;
      case 'block-finished':
        finished.add(String(record['stepId']));
        break;
      case 'result-registered':
        // What was written with this version's types, as the header says.
        results.set(String(record['name']), record['result'] as StepResult);
        break;
      case 'undo-finished':
        if (record['failure'] === undefined) undone.add(String(record['undoId']));
        break;
      case 'run-finished':
        if (isObject(record['summary'])) outcome = String(record['summary']['outcome']);
        break;
    }
  }
  return {
    ...{ epoch, movedInEpoch, workload, boots, began, ended, finished, results, undone },
    ...{ sourceHasEnded, moved, kept, strategy, outcome },
  };
}

/** What is no strategy, a redacted one for example, says nothing: the hosts are asked. */
function readStrategy(name: unknown): Strategy | undefined {
  return STRATEGIES.find((strategy) => strategy === name);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
