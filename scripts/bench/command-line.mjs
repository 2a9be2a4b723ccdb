// What a command needs that asks no host: to start, and to read much.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, spread } from './statistics.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = `${root}/dist/bin/criu-flow.cjs`;
const typical = `${root}/recipes/tcp-service-rsync.yaml`;
const tellMemory = fileURLToPath(new URL('tell-memory.cjs', import.meta.url));
const inputs = ['source=root@a', 'destination=root@b', 'pid=4711'].flatMap((input) => ['-i', input]);
const FILES = 1000;
const STEPS = 5000;

/** @returns whether each measure is within its limit */
export function measureCommandLine(rounds) {
  const directory = mkdtempSync(join(tmpdir(), 'criu-flow-bench-'));
  try {
    return [startUp(rounds), muchToRead(directory)].every(Boolean);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Each in turn, against node that does nothing. */
function startUp(rounds) {
  const commands = [
    { name: 'node -e 0', argv: ['-e', '0'], limitMs: 0 },
    { name: 'criu-flow --version', argv: [cli, '--version'], limitMs: 60 },
    { name: 'criu-flow validate, a typical recipe', argv: [cli, 'validate', typical], limitMs: 120 },
  ];
  const times = commands.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, { argv }] of commands.entries()) times[index].push(measure(argv).ms);
  }
  const bareMs = median(times[0]);
  console.log(`\n| start-up, median of ${rounds} | | more than bare node |\n| --- | --- | --- |`);
  return commands
    .map(({ name, limitMs }, index) => {
      const extraMs = median(times[index]) - bareMs;
      const extra = index === 0 ? '' : `${Math.round(extraMs)} ms (limit ${limitMs} ms)`;
      console.log(`| ${name} | ${spread(times[index])} | ${extra} |`);
      return extraMs <= limitMs;
    })
    .every(Boolean);
}

function muchToRead(directory) {
  const files = Array.from({ length: FILES }, (_, index) => join(directory, `${index}.yaml`));
  for (const file of files) cpSync(typical, file);
  const long = join(directory, 'long.yaml');
  writeFileSync(long, longRecipe());
  console.log('\n| much to read, median of 3 | time | memory |\n| --- | --- | --- |');
  return [
    row(`validate ${FILES} recipes in one call`, ['validate', ...files], 5000),
    row(`validate a recipe of ${STEPS} steps`, ['validate', long], 2000),
    row(`plan a recipe of ${STEPS} steps`, ['plan', long, ...inputs], 2000),
  ].every(Boolean);
}

function row(name, argv, limitMs) {
  const results = Array.from({ length: 3 }, () => measure(['--require', tellMemory, cli, ...argv]));
  const ms = median(results.map((result) => result.ms));
  const mib = median(results.map(({ stderr }) => Number(/^maxRSS (\d+) KiB$/m.exec(stderr)?.[1]) / 1024));
  console.log(
    `| ${name} | ${Math.round(ms)} ms (limit ${limitMs} ms) | ${Math.round(mib)} MiB (limit 300 MiB) |`,
  );
  return ms <= limitMs && mib <= 300;
}

/** A bundled recipe, with many commands between its own steps. */
function longRecipe() {
  const recipe = readFileSync(`${root}/recipes/process-rsync.yaml`, 'utf8');
  const preflight = /^ {2}- uses: preflight.*\n/m;
  const commands = Array.from(
    { length: STEPS },
    (_, index) => `  - uses: command
    name: Tell the monitoring ${index}
    readOnly: true
    with: { on: local, argv: ['true', '{{ inputs.source }}', 'n${index}'] }
`,
  );
  if (!preflight.test(recipe)) throw new Error('the recipe has no step preflight');
  return recipe.replace(preflight, (line) => line + commands.join(''));
}

/** Runs node. @returns its time, and what it said on standard error */
function measure(argv) {
  const beganAt = performance.now();
  const { status, stderr } = spawnSync(process.execPath, argv, {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ms = performance.now() - beganAt;
  if (status !== 0) throw new Error(`node ${argv.join(' ')} ended with ${status}\n${stderr}`);
  return { ms, stderr };
}
