// Measures, as ratios in one run: `npm run bench` prints the tables that docs/performance.md has. With the name of a part,
// `command-line` or `downtime`, that alone; a number after it says how often each thing is done.
import { setUp, setUpPackages } from './setup.mjs';

const [part, rounds] = process.argv.slice(2);
if (![undefined, 'command-line', 'downtime'].includes(part)) {
  console.error('Usage: npm run bench [command-line|downtime] [ROUNDS]');
  process.exit(2);
}
const results = [];
if (part !== 'downtime') {
  setUpPackages();
  const { measureCommandLine } = await import('./bench/command-line.mjs');
  results.push(measureCommandLine(Number(rounds ?? 21)));
}
if (part !== 'command-line') {
  const labMissing = await setUp();
  if (labMissing !== undefined) {
    console.error(`The downtime is measured on a lab. ${labMissing}`);
    process.exit(1);
  }
  const { measureDowntime } = await import('./bench/downtime.mjs');
  results.push(await measureDowntime(Number(rounds ?? 7)));
}
process.exitCode = results.every(Boolean) ? 0 : 1;
