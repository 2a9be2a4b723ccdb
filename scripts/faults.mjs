// Breaks migrations on purpose and writes down what became of them. `npm run faults` is the matrix, every boundary of every
// step by every fault; `npm run soak` is at least 300 migrations there and back with random faults. Both write their table
// into docs/reliability.md when all of it is well, and was not cut short. Further arguments: for the matrix a part of
// `boundary x fault`; for the soak a seed, how many migrations, and one choice, as a violation names it, to be made again
// and again.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { setUp } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [what, first = '', second = '', third = ''] = process.argv.slice(2);
const WHOLE_SOAK = 300;
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
      ...(isSoak ? { CRIU_FLOW_SOAK_MIGRATIONS: second === '' ? String(WHOLE_SOAK) : second } : {}),
      ...(isSoak && third !== '' ? { CRIU_FLOW_SOAK_CHOICE: third } : {}),
    },
  },
);
try {
  const found = JSON.parse(readFileSync(result, 'utf8'));
  const text = isSoak ? soakTable(found) : matrixTable(found);
  console.log(text);
  // What was cut off, or found something, is for whoever ran it: the page holds whole results.
  const isWhole = isSoak ? found.migrations >= WHOLE_SOAK && third === '' : first === '';
  if (vitest.status === 0 && isWhole) await writeDown(isSoak ? 'soak' : 'matrix', text);
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

function soakTable({ seed, migrations, seconds, misses, faults, phases }) {
  const rows = faults.map(([fault, ends]) => {
    const list = Object.entries(ends).toSorted(([, one], [, other]) => other - one);
    const hits = list.reduce((sum, [, times]) => sum + times, 0);
    return `| ${fault} | ${hits} | ${list.map(([end, times]) => `${times} ${end}`).join('; ')} |`;
  });
  return [
    `Seed ${seed}: ${migrations} migrations in ${Math.round(seconds / 60)} minutes; ${misses} more, whose fault found nothing to break, are not counted.`,
    '',
    '| fault | hits | how they ended |',
    '| --- | --- | --- |',
    ...rows,
    '',
    '| phase | hits |',
    '| --- | --- |',
    ...phases.map(([phase, hits]) => `| ${phase} | ${hits} |`),
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
