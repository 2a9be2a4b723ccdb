// The table of docs/performance.md about the ways to move a process, and what has been asked of them.
import { median } from './statistics.mjs';

/** @returns Markdown, as prettier leaves it alone */
export function tableOf(cells) {
  const ways = Object.keys(cells[0].gapsMs);
  const head = ['memory, link, written in a second', 'limit', ...ways, 'moves of each'];
  const rows = cells.map((cell) => [
    nameOf(cell),
    seconds(median(cell.limitMs)),
    ...ways.map((way) => `${seconds(medianOf(cell, way))}${choiceOf(cell, way)}`),
    `${cell.limitMs.length}, ${cell.date}`,
  ]);
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** @returns for each line that is asked, of the cells that have been measured: whether it holds, in words */
export function verdictsOf(cells) {
  return [
    ...ofCells(cells, { memoryMiB: 1024, writtenMiBPerSecond: 0 }, (cell) => [
      ratio(cell, 'stop-and-copy, stream', ['the limit', median(cell.limitMs)], 1.5),
      ratio(cell, 'stop-and-copy, stream', ['the script', medianOf(cell, 'script')], 1 / 3),
      ratio(cell, 'post-copy', ['the script', medianOf(cell, 'script')], 1 / 20),
    ]),
    ...ofCells(cells, { memoryMiB: 4096, writtenMiBPerSecond: 0 }, (cell) => {
      const small = cells.find((each) => isLike(each, { ...about(cell), memoryMiB: 64 }));
      return small ? [ratio(cell, 'post-copy', ['itself at 64 MiB', medianOf(small, 'post-copy')], 1.3)] : [];
    }),
    ...ofCells(cells, { rateMbitPerSecond: 1000, writtenMiBPerSecond: 50 }, (cell) => [
      ratio(cell, 'pre-copy', ['stop-and-copy', medianOf(cell, 'stop-and-copy, rsync')], 1 / 5),
    ]),
    ...ofCells(cells, {}, (cell) => {
      const shortest = Math.min(medianOf(cell, 'stop-and-copy, rsync'), medianOf(cell, 'pre-copy'));
      const withPostCopy = Math.min(shortest, medianOf(cell, 'post-copy'));
      return [
        ratio(cell, 'auto', ['the shortest that it may choose', shortest], 1.2),
        ratio(cell, 'auto, allowPostCopy', ['the shortest that it may choose', withPostCopy], 1.2),
      ];
    }),
  ];
}

function ofCells(cells, wanted, verdicts) {
  return cells.filter((cell) => isLike(cell, wanted)).flatMap(verdicts);
}

function isLike(cell, wanted) {
  return Object.entries(wanted).every(([key, value]) => cell[key] === value);
}

function about({ memoryMiB, rateMbitPerSecond, writtenMiBPerSecond }) {
  return { memoryMiB, rateMbitPerSecond, writtenMiBPerSecond };
}

function ratio(cell, way, [toWhat, ofMs], most) {
  const times = medianOf(cell, way) / ofMs;
  const isGood = times <= most;
  const text = `${nameOf(cell)}: ${way} takes ${times.toFixed(2)} of ${toWhat} (limit ${most.toFixed(2)})${isGood ? '' : ': **missed**'}`;
  return { isGood, text };
}

function medianOf(cell, way) {
  return median(cell.gapsMs[way]);
}

function nameOf({ memoryMiB, rateMbitPerSecond, writtenMiBPerSecond }) {
  return `${memoryMiB} MiB, ${linkName(rateMbitPerSecond)}, ${writtenMiBPerSecond} MiB/s`;
}

export function linkName(rateMbitPerSecond) {
  return rateMbitPerSecond === undefined ? 'no limit' : `${rateMbitPerSecond / 1000} Gbit/s`;
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`;
}

/** What was chosen, and what of it was expected. */
function choiceOf({ choices }, way) {
  const made = choices[way] ?? [];
  if (made.length === 0) return '';
  const chosen = [...new Set(made.map((choice) => choice.chosen))].join(' or ');
  return ` (${chosen}, ${seconds(median(made.map(({ expectedMs }) => expectedMs)))} expected)`;
}
