import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FlowEvent } from '../../src/events/event.ts';
import { recordedRuns } from './recorded-runs.ts';
import { screensOf, type Screen } from './terminal.ts';

type Act =
  | { readonly event: FlowEvent }
  | { readonly tell: string }
  /** Goes on when this is on the screen. */
  | { readonly until: string }
  | { readonly leave: true };

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'criu-flow-tree-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Plays to a terminal of its own. @returns what a person saw, in order, and the exit code */
function play(
  scene: readonly Act[],
  columns = 100,
): Promise<{ readonly screens: readonly Screen[]; readonly exitCode: number }> {
  const file = join(mkdtempSync(join(directory, 'scene-')), 'scene.json');
  writeFileSync(file, JSON.stringify(scene));
  return new Promise((resolve) => {
    const child = execFile(
      'script',
      ['-qfec', 'stty cols "$WIDTH" rows 40 && exec "$NODE" "$PLAYER" "$SCENE"', '/dev/null'],
      {
        env: {
          PATH: process.env['PATH'],
          TERM: 'xterm-256color',
          LC_ALL: 'C.UTF-8',
          WIDTH: String(columns),
          NODE: process.execPath,
          PLAYER: fileURLToPath(new URL('play-scene.mjs', import.meta.url)),
          SCENE: file,
        },
      },
      (error, stdout) => {
        resolve({
          screens: screensOf(stdout, columns),
          exitCode: error === null ? 0 : Number(error.code),
        });
      },
    );
    child.stdin?.end();
  });
}

const acts = (events: readonly FlowEvent[]): Act[] => events.map((event) => ({ event }));

/** The scene up to an event, and what follows it. */
function cutAfter(
  events: readonly FlowEvent[],
  isLast: (event: FlowEvent) => boolean,
): readonly [readonly Act[], readonly Act[]] {
  const index = events.findIndex(isLast) + 1;
  return [acts(events.slice(0, index)), acts(events.slice(index))];
}

const isHalfSent = (event: FlowEvent): boolean => event.kind === 'step-progress' && event.remainingMs === 157;

describe.each(Object.entries(recordedRuns))('a run that ends with %s', (name, events) => {
  test('the screen at the end', async () => {
    const { screens } = await play(acts(events));
    const text = screens.at(-1)?.text.replace(/criu-flow \d\S* \(node v\S+\)/, 'criu-flow VERSION');
    await expect(text).toMatchFileSnapshot(`snapshots/${name.replaceAll(/\W+/g, '-')}.screen.txt`);
    expect(screens.at(-1)?.isCursorShown).toBe(true);
  });
});

test('while it goes on: what is done, how far the transfer is, what is to come', async () => {
  const [before, after] = cutAfter(recordedRuns.done, isHalfSent);
  const { screens } = await play([...before, { until: 's left' }, ...after]);
  const screen = screens.find(({ text }) => text.includes('s left'));
  await expect(screen?.text).toMatchFileSnapshot('snapshots/transferring.screen.txt');
  expect(screen?.isCursorShown).toBe(false);
});

test('a narrow terminal: lines are cut, never wrapped', async () => {
  const [before, after] = cutAfter(recordedRuns.done, isHalfSent);
  const { screens } = await play([...before, { until: 's left' }, ...after], 50);
  const screen = screens.find(({ text }) => text.includes('s left'));
  await expect(screen?.text).toMatchFileSnapshot('snapshots/narrow.screen.txt');
});

test('an interruption is told at once, under the tree, and stays', async () => {
  const [before, after] = cutAfter(recordedRuns.interrupted, isHalfSent);
  const { screens } = await play([
    ...before,
    { until: 's left' },
    { tell: 'SIGINT: rolling back' },
    { until: 'criu-flow: SIGINT: rolling back' },
    ...after,
  ]);
  const during = screens.find(({ text }) => text.includes('SIGINT: rolling back'));
  await expect(during?.text).toMatchFileSnapshot('snapshots/interrupting.screen.txt');
  expect(screens.at(-1)?.text).toContain('criu-flow: SIGINT: rolling back');
});

test('whoever leaves at once has read why, and gets the cursor back', async () => {
  const [before] = cutAfter(recordedRuns.interrupted, isHalfSent);
  const { screens, exitCode } = await play([
    ...before,
    { until: 's left' },
    { tell: 'SIGINT again: left without rolling back' },
    { leave: true },
  ]);
  expect(screens.at(-1)?.text).toContain('criu-flow: SIGINT again: left without rolling back');
  expect(screens.at(-1)?.isCursorShown).toBe(true);
  expect(exitCode).toBe(130);
});

test('told when nothing is drawn: on the error stream', async () => {
  const { screens } = await play([{ tell: 'SIGINT: rolling back' }]);
  expect(screens.at(-1)?.text).toBe('criu-flow: SIGINT: rolling back\n');
});
