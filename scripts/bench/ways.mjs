// The downtime of a process by each transport and strategy, against the three-line script and against what the machine can do at all.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { moveByCriuFlow, moveByScript, moveCounter, on, onLab } from './counter.mjs';
import { limitOf } from './limit.mjs';
import { plotOf } from './ways-plot.mjs';
import { tableOf, verdictsOf } from './ways-table.mjs';

export const SIZES_MIB = [16, 64, 256, 1024, 4096];
const RATES = [undefined, 1000];
const WRITTEN_MIB_PER_SECOND = [0, 50];

const WAYS = {
  script: moveByScript,
  'stop-and-copy, rsync': moveByCriuFlow('transfer/rsync'),
  'stop-and-copy, sftp': moveByCriuFlow('transfer/sftp'),
  'stop-and-copy, stream': moveByCriuFlow('transfer/stream'),
  'pre-copy': moveByCriuFlow('transfer/rsync', { strategy: 'pre-copy' }),
  'post-copy': moveByCriuFlow('transfer/rsync', { strategy: 'post-copy' }),
  auto: moveByCriuFlow('transfer/rsync', { strategy: 'auto' }),
  'auto, allowPostCopy': moveByCriuFlow('transfer/rsync', { strategy: 'auto', allowPostCopy: true }),
};

const documents = fileURLToPath(new URL('../../docs/', import.meta.url));
const RESULTS = `${documents}performance/ways.json`;
const PLOT = `${documents}performance/ways.svg`;
const PAGE = `${documents}performance.md`;
const TABLE = /(<!-- ways: written by npm run bench -->\n)[^]*(<!-- ways end -->)/;

/**
 * All ways in turn on the same lab, for each size, link and rate. After each of these the table and the plot of docs/performance.md
 * are written anew; what they have of other sizes stays, with its date.
 * @returns whether all is within its limits
 */
export async function measureWays(rounds, sizesMiB = SIZES_MIB) {
  let cells = JSON.parse(readFileSync(RESULTS, 'utf8'));
  for (const rateMbitPerSecond of RATES) {
    await onLab({ name: 'bench', ...(rateMbitPerSecond && { rateMbitPerSecond }) }, (lab) => {
      on(lab, 'a', 'sysctl -q -w fs.pipe-max-size=4194304');
      for (const memoryMiB of sizesMiB) {
        for (const writtenMiBPerSecond of WRITTEN_MIB_PER_SECOND) {
          const about = { memoryMiB, rateMbitPerSecond, writtenMiBPerSecond };
          const cell = measureCell(lab, about, rounds);
          cells = [...cells.filter((each) => !isAbout(each, about)), cell];
          write(cells);
          console.log(tableOf([cell]));
        }
      }
    });
  }
  const verdicts = verdictsOf(cells);
  for (const { text } of verdicts) console.log(text);
  return verdicts.every(({ isGood }) => isGood);
}

function measureCell(lab, about, rounds) {
  const counter = { ...about, content: 'random' };
  const limitMs = [];
  const gapsMs = Object.fromEntries(Object.keys(WAYS).map((way) => [way, []]));
  const choices = {};
  for (let round = 0; round < rounds; round++) {
    for (const [way, move] of Object.entries(WAYS)) {
      const { gapMs, moved } = moveCounter(lab, counter, move);
      gapsMs[way].push(gapMs);
      const { chosen, expectedMs } = moved?.strategy ?? {};
      if (chosen && expectedMs === undefined) throw new Error(moved.warnings.join('\n'));
      if (chosen) (choices[way] ??= []).push({ chosen, expectedMs: Math.round(expectedMs) });
    }
    limitMs.push(limitOf(lab, about.memoryMiB));
  }
  return { ...about, date: new Date().toISOString().slice(0, 10), limitMs, gapsMs, choices };
}

function isAbout(cell, about) {
  return Object.entries(about).every(([key, value]) => cell[key] === value);
}

function write(cells) {
  const sorted = cells.toSorted(
    (a, b) =>
      (b.rateMbitPerSecond ?? Infinity) - (a.rateMbitPerSecond ?? Infinity) ||
      a.writtenMiBPerSecond - b.writtenMiBPerSecond ||
      a.memoryMiB - b.memoryMiB,
  );
  writeFileSync(RESULTS, `${JSON.stringify(sorted, null, 2)}\n`);
  writeFileSync(PLOT, plotOf(sorted));
  const verdicts = verdictsOf(sorted).map(({ text }) => `- ${text}`);
  const text = [tableOf(sorted), '', ...verdicts, ''].join('\n');
  writeFileSync(
    PAGE,
    readFileSync(PAGE, 'utf8').replace(TABLE, (_, begin, end) => `${begin}\n${text}\n${end}`),
  );
}
