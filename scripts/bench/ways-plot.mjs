// The plot of docs/performance.md: a field for each link and rate, in it a line for each way, pause over memory, both by powers of two.
import { median } from './statistics.mjs';
import { linkName } from './ways-table.mjs';

const FIELD = { width: 400, height: 310, left: 62, top: 40, right: 18, bottom: 44 };
const COLUMNS = 2;
const LEGEND = { columns: 3, rowHeight: 18, width: 250 };
const COLORS = [
  '#000000',
  '#888888',
  '#1f77b4',
  '#17becf',
  '#2ca02c',
  '#ff7f0e',
  '#d62728',
  '#9467bd',
  '#e377c2',
];
const LEAST_MS = 128;
const MOST_MS = 128 * 1024;

/** @returns an SVG that needs nothing else, on a white ground, so that it can be read on a dark page */
export function plotOf(cells) {
  const ways = ['limit', ...Object.keys(cells[0].gapsMs)];
  const sizes = [...new Set(cells.map(({ memoryMiB }) => memoryMiB))].toSorted((a, b) => a - b);
  const names = [...new Set(cells.map(fieldName))];
  const fields = names.map((name, index) =>
    translated(
      (index % COLUMNS) * FIELD.width,
      Math.floor(index / COLUMNS) * FIELD.height,
      field(
        name,
        cells.filter((cell) => fieldName(cell) === name),
        { ways, sizes },
      ),
    ),
  );
  const width = COLUMNS * FIELD.width;
  const legendTop = Math.ceil(names.length / COLUMNS) * FIELD.height + LEGEND.rowHeight;
  const height = legendTop + (Math.ceil(ways.length / LEGEND.columns) + 1) * LEGEND.rowHeight;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    '<title>Pause of a process by its memory, for each way to move it</title>',
    '<rect width="100%" height="100%" fill="#ffffff"/>',
    ...fields,
    translated(FIELD.left, legendTop, legend(ways)),
    '</svg>\n',
  ].join('\n');
}

function fieldName({ rateMbitPerSecond, writtenMiBPerSecond }) {
  return `link: ${linkName(rateMbitPerSecond)}, written: ${writtenMiBPerSecond} MiB/s`;
}

function field(name, cells, { ways, sizes }) {
  const { width, height, left, top, right, bottom } = FIELD;
  const x = scale([sizes[0], sizes.at(-1)], [left, width - right]);
  const y = scale([LEAST_MS, MOST_MS], [height - bottom, top]);
  const ticks = [];
  for (let ms = LEAST_MS; ms <= MOST_MS; ms *= 2)
    ticks.push(
      line([left, y(ms)], [width - right, y(ms)], '#dddddd'),
      label(left - 6, y(ms) + 4, ms < 1000 ? `${ms} ms` : `${Math.round(ms / 1000)} s`, 'end'),
    );
  for (const size of sizes)
    ticks.push(
      line([x(size), top], [x(size), height - bottom], '#dddddd'),
      label(x(size), height - bottom + 16, size < 1024 ? `${size} MiB` : `${size / 1024} GiB`, 'middle'),
    );
  const curves = ways.map((way) => {
    const points = cells
      .toSorted((a, b) => a.memoryMiB - b.memoryMiB)
      .map((cell) => `${x(cell.memoryMiB).toFixed(1)},${y(msOf(cell, way)).toFixed(1)}`);
    return `<polyline points="${points.join(' ')}" fill="none" ${strokeOf(ways, way)}/>`;
  });
  return [
    label(left, top - 14, name, 'start', ' font-weight="bold"'),
    ...ticks,
    ...curves,
    label((left + width - right) / 2, height - bottom + 32, 'memory', 'middle'),
  ].join('\n');
}

function legend(ways) {
  return ways
    .map((way, index) => {
      const x = (index % LEGEND.columns) * LEGEND.width;
      const y = Math.floor(index / LEGEND.columns) * LEGEND.rowHeight;
      return `<path d="M${x} ${y}h24" ${strokeOf(ways, way)}/>${label(x + 30, y + 4, way, 'start')}`;
    })
    .join('\n');
}

function msOf(cell, way) {
  return median(way === 'limit' ? cell.limitMs : cell.gapsMs[way]);
}

function strokeOf(ways, way) {
  const dashes = way === 'limit' ? ' stroke-dasharray="2 3"' : '';
  return `stroke="${COLORS[ways.indexOf(way)]}" stroke-width="2"${dashes}`;
}

/** By powers: what is twice as much is always as far away. */
function scale([least, most], [from, to]) {
  const all = Math.max(1, Math.log2(most / least));
  return (value) => from + ((to - from) * Math.log2(value / least)) / all;
}

function line([x1, y1], [x2, y2], color) {
  return `<path d="M${x1.toFixed(1)} ${y1.toFixed(1)}L${x2.toFixed(1)} ${y2.toFixed(1)}" stroke="${color}"/>`;
}

function label(x, y, text, anchor, more = '') {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="#222222"${more}>${text}</text>`;
}

function translated(x, y, content) {
  return `<g transform="translate(${x},${y})">\n${content}\n</g>`;
}
