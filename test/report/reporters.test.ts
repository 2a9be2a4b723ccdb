import { describe, expect, test } from 'vitest';
import type { FlowEvent } from '../../src/events/event.ts';
import { chooseReporter, createReporter } from '../../src/report/create-reporter.ts';
import type { ReporterKind } from '../../src/report/reporter.ts';
import { recordedRuns } from './recorded-runs.ts';

async function show(kind: ReporterKind, events: readonly FlowEvent[]): Promise<string> {
  let text = '';
  let nowMs = 0;
  const reporter = await createReporter({
    kind,
    stream: { write: (piece: string) => (text += piece) },
    errorStream: { write: () => true },
    color: false,
    now: () => (nowMs += 10),
    date: () => new Date('2026-11-23T10:11:12Z'),
  });
  for (const event of events) reporter.onEvent(event);
  await reporter.finish();
  return text;
}

/** All that could steer a terminal, but the line feed. */
const STEERS = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

describe.each(Object.entries(recordedRuns))('a run that ends with %s', (name, events) => {
  const file = `snapshots/${name.replaceAll(/\W+/g, '-')}`;

  test('in plain lines', async () => {
    const text = (await show('plain', events)).replace(/criu-flow \d\S* \(node v\S+\)/, 'criu-flow VERSION');
    await expect(text).toMatchFileSnapshot(`${file}.txt`);
    expect(text).not.toMatch(STEERS);
  });

  test('as JSON lines', async () => {
    const text = await show('json', events);
    await expect(text).toMatchFileSnapshot(`${file}.jsonl`);
    expect(text).not.toMatch(STEERS);
    const lines = text.trimEnd().split('\n');
    const at = '2026-11-23T10:11:12.000Z';
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(events.map((event) => ({ at, ...event })));
  });
});

test('of a burst of progress, plain lines show one reading in two seconds', async () => {
  const started = recordedRuns.done.slice(0, 1);
  const burst = Array.from({ length: 1000 }, (_, index): FlowEvent => ({
    kind: 'step-progress',
    stepId: '3-transfer',
    doneBytes: index,
    totalBytes: 1000,
    bytesPerSecond: 100,
    remainingMs: 1000,
  }));
  // The clock of show() moves on by 10 ms at each look.
  const text = await show('plain', [...started, { kind: 'step-started', stepId: '3-transfer' }, ...burst]);
  expect(text.match(/\d+ B of 1000 B/g)).toEqual([
    '198 B of 1000 B',
    '397 B of 1000 B',
    '596 B of 1000 B',
    '795 B of 1000 B',
    '994 B of 1000 B',
  ]);
});

test('a person at a terminal gets the tree, a log gets lines', () => {
  const terminal = { write: () => true, isTTY: true, columns: 120 };
  expect(chooseReporter({}, terminal)).toBe('tree');
  expect(chooseReporter({ NO_COLOR: '1' }, terminal)).toBe('plain');
  expect(chooseReporter({ CI: 'true' }, terminal)).toBe('plain');
  expect(chooseReporter({ TERM: 'dumb' }, terminal)).toBe('plain');
  expect(chooseReporter({}, { ...terminal, columns: 20 })).toBe('plain');
  expect(chooseReporter({}, { write: () => true })).toBe('plain');
});

test('a report that cannot be written is told of once, and the run goes on', async () => {
  const told: string[] = [];
  const reporter = await createReporter({
    kind: 'plain',
    stream: {
      write: () => {
        throw new Error('no space left');
      },
    },
    errorStream: { write: (text) => told.push(text) },
    color: false,
  });
  for (const event of recordedRuns.done) expect(() => reporter.onEvent(event)).not.toThrow();
  await reporter.finish();
  expect(told).toEqual(['criu-flow: the report failed, the run goes on: Error: no space left\n']);
});

test.each(['plain', 'json'] as const)('%s: what is no event goes to the error stream', async (kind) => {
  const told: string[] = [];
  const shown: string[] = [];
  const reporter = await createReporter({
    kind,
    stream: { write: (text) => shown.push(text) },
    errorStream: { write: (text) => told.push(text) },
    color: false,
  });
  reporter.tell('SIGINT: rolling back');
  expect({ told, shown }).toEqual({ told: ['criu-flow: SIGINT: rolling back\n'], shown: [] });
});
