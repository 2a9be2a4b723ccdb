// Measures, as ratios in one run: `npm run bench` prints the tables that docs/performance.md has, and writes that of the ways into it.
// With the name of a part, that alone; a number after it says how often each thing is done. After `ways` and the number, sizes of
// memory in MiB: those alone.
import { setUp, setUpPackages } from './setup.mjs';

const ON_LAB = {
  orchestration: async (rounds = 11) =>
    (await import('./bench/orchestration.mjs')).measureOrchestration(rounds),
  downtime: async (rounds = 7) => (await import('./bench/downtime.mjs')).measureDowntime(rounds),
  ways: async (rounds = 3) => (await import('./bench/ways.mjs')).measureWays(rounds, sizesMiB),
};
const PARTS = ['command-line', ...Object.keys(ON_LAB)];

const [part, rounds, sizes] = process.argv.slice(2);
const sizesMiB = sizes?.split(',').map(Number);
const roundsAsked = rounds === undefined ? undefined : Number(rounds);
const isWrong =
  (part !== undefined && !PARTS.includes(part)) ||
  [roundsAsked, ...(sizesMiB ?? [])].some((number) => number !== undefined && !(number > 0)) ||
  (sizesMiB && part !== 'ways');
if (isWrong) {
  console.error(`Usage: npm run bench [${PARTS.join('|')}] [ROUNDS] [MIB,MIB...]`);
  process.exit(2);
}

const isGood = [];
if (part === undefined || part === 'command-line') {
  setUpPackages();
  const { measureCommandLine } = await import('./bench/command-line.mjs');
  isGood.push(measureCommandLine(roundsAsked ?? 21));
}
const onLab = Object.entries(ON_LAB).filter(([name]) => part === undefined || part === name);
if (onLab.length > 0) {
  const labMissing = await setUp();
  if (labMissing !== undefined) {
    console.error(`The downtime is measured on a lab. ${labMissing}`);
    process.exit(1);
  }
  for (const [, measure] of onLab) isGood.push(await measure(roundsAsked));
}
process.exitCode = isGood.every(Boolean) ? 0 : 1;
