// Measures, as ratios in one run: `npm run bench` prints the tables that docs/performance.md has. With the name of a part,
// `command-line`, `downtime`, `transports` or `post-copy`, that alone; a number after it says how often each thing is done.
import { setUp, setUpPackages } from './setup.mjs';

const PARTS = ['command-line', 'downtime', 'transports', 'post-copy'];
const [part, rounds] = process.argv.slice(2);
if (part !== undefined && !PARTS.includes(part)) {
  console.error(`Usage: npm run bench [${PARTS.join('|')}] [ROUNDS]`);
  process.exit(2);
}
const parts = PARTS.filter((each) => part === undefined || part === each);
const results = [];
if (parts.includes('command-line')) {
  setUpPackages();
  const { measureCommandLine } = await import('./bench/command-line.mjs');
  results.push(measureCommandLine(Number(rounds ?? 21)));
}
if (parts.some((each) => each !== 'command-line')) {
  const labMissing = await setUp();
  if (labMissing !== undefined) {
    console.error(`The downtime is measured on a lab. ${labMissing}`);
    process.exit(1);
  }
  if (parts.includes('downtime')) {
    const { measureDowntime } = await import('./bench/downtime.mjs');
    results.push(await measureDowntime(Number(rounds ?? 7)));
  }
  if (parts.includes('transports')) {
    const { measureTransports } = await import('./bench/transports.mjs');
    results.push(await measureTransports(Number(rounds ?? 3)));
  }
  if (parts.includes('post-copy')) {
    const { measurePostCopy } = await import('./bench/post-copy.mjs');
    results.push(await measurePostCopy(Number(rounds ?? 3)));
  }
}
process.exitCode = results.every(Boolean) ? 0 : 1;
