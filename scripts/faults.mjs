// Breaks migrations on purpose and writes down what became of them. `npm run faults` is the matrix, every boundary of every
// step by every fault; `npm run soak` is at least 300 migrations there and back with random faults. Both write their table
// into docs/reliability.md when all of it is well. Further arguments: for the matrix a part of `boundary x fault`, and then nothing is written
// down; for the soak a seed and how many migrations.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { setUp } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [what, first = '', second = ''] = process.argv.slice(2);
const isSoak = what === 'soak';
const labMissing = await setUp({ forTests: true });
if (labMissing !== undefined) {
  console.error(`Faults are tried on a lab. ${labMissing}`);
  process.exit(1);
}
const directory = mkdtempSync(join(tmpdir(), 'criu-flow-faults-'));
const result = join(directory, 'result.json');
const vitest = spawnSync(
  process.execPath,
  [
    ...['node_modules/vitest/vitest.mjs', 'run', '--project', 'faults', '--maxConcurrency', '8'],
    `test/faults/${isSoak ? 'soak' : 'matrix'}.test.ts`,
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      CRIU_FLOW_FAULTS: isSoak ? '' : first,
      CRIU_FLOW_FAULTS_RESULT: result,
      ...(isSoak && first !== '' ? { CRIU_FLOW_SOAK_SEED: first } : {}),
      ...(isSoak && second !== '' ? { CRIU_FLOW_SOAK_MIGRATIONS: second } : {}),
    },
  },
);
try {
  const found = JSON.parse(readFileSync(result, 'utf8'));
  const text = isSoak ? soakTable(found) : matrixTable(found);
  console.log(text);
  // What was cut off, or found something, is for whoever ran it: the page holds whole results.
  if (vitest.status === 0 && (isSoak || first === '')) await writeDown(isSoak ? 'soak' : 'matrix', text);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.exitCode = vitest.status ?? 1;

/** Rows are boundaries, columns faults. A reason why there is nothing to break is a note below. */
function matrixTable(cells) {
  const parts = cells.map(([title, state]) => [...title.split(' x '), state]);
  const rows = [...new Set(parts.map(([row]) => row))];
  const columns = [...new Set(parts.map(([, column]) => column))];
  const order = ['lock', 'preflight', 'prepare', 'dump', 'freeze', 'transfer', 'restore', 'commit'];
  order.push('release', 'verify', 'clean-up', 'end');
  rows.sort((one, other) => order.indexOf(one) - order.indexOf(other));
  const states = new Map(parts.map(([row, column, state]) => [`${row} x ${column}`, state]));
  const notes = [...new Set(parts.map(([, , state]) => state).filter((state) => state.startsWith('– ')))];
  const cell = (row, column) => {
    const state = states.get(`${row} x ${column}`) ?? '';
    return state.startsWith('– ') ? `– ${notes.indexOf(state) + 1}` : state;
  };
  const lines = rows.map((row) => `| ${row} | ${columns.map((column) => cell(row, column)).join(' | ')} |`);
  return [
    `| at the begin of | ${columns.join(' | ')} |`,
    `| --- |${columns.map(() => ' --- |').join('')}`,
    ...lines,
    '',
    ...notes.map((note, index) => `${index + 1}. ${note.slice(2)}`),
  ].join('\n');
}

function soakTable({ seed, migrations, table }) {
  const rows = table
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([fault, ends]) => {
      const count = Object.values(ends).reduce((sum, each) => sum + each, 0);
      const list = Object.entries(ends).toSorted(([, one], [, other]) => other - one);
      return {
        count,
        line: `| ${fault} | ${count} | ${list.map(([end, times]) => `${times} ${end}`).join('; ')} |`,
      };
    });
  const done = rows.reduce((sum, { count }) => sum + count, 0);
  return [
    `Seed ${seed}: ${done} of ${migrations} migrations came to their end with one copy, its client and its counter; 0 lost, 0 doubled, 0 left over in these.`,
    '',
    '| fault at a random moment | migrations | how they ended |',
    '| --- | --- | --- |',
    ...rows.map(({ line }) => line),
  ].join('\n');
}

/** Between the markers of that name. */
async function writeDown(name, text) {
  const file = join(root, 'docs', 'reliability.md');
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const page = readFileSync(file, 'utf8');
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`docs/reliability.md has no ${begin} … ${end}`);
  const whole = `${before}${begin}\n\n${text}\n\n${end}${after}`;
  writeFileSync(file, await format(whole, { ...(await resolveConfig(file)), filepath: file }));
}
