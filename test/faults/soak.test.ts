import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';
import { follow, leftOnHosts, lookAtService } from './aftermath.ts';
import { steps } from './boundaries.ts';
import { killProcesses, link, PROCESSES, spreadPids } from './fault.ts';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const SEED = Number(process.env['CRIU_FLOW_SOAK_SEED'] ?? 1);
const MIGRATIONS = Number(process.env['CRIU_FLOW_SOAK_MIGRATIONS'] ?? 300);
const LABS = Number(process.env['CRIU_FLOW_FAULTS_LABS'] ?? 3);

/** Something goes wrong in one of these phases, within so many milliseconds of its begin. */
const PHASES = ['prepare', 'freeze', 'transfer', 'restore', 'commit', 'release', 'verify', 'clean-up'];
const LATEST_MS = 200;
/** Milliseconds in which a run must have come to an end of its own. */
const CONTROLLER_MS = 240_000;

interface Move {
  readonly lab: MigrationLab;
  readonly from: 'a' | 'b';
  readonly to: 'a' | 'b';
  readonly random: () => number;
  readonly kill: (signal: NodeJS.Signals) => void;
}

/** `miss`: there was nothing to break. */
type Healing = (() => void) | 'miss' | undefined;

/** What goes wrong, at a random moment; what is returned puts it right once the run has ended. */
const FAULTS: Readonly<Record<string, (move: Move) => Promise<Healing>>> = {
  nothing: async () => undefined,
  'controller SIGKILL': async ({ kill }) => {
    kill('SIGKILL');
    return undefined;
  },
  'controller SIGTERM': async ({ kill }) => {
    kill('SIGTERM');
    return undefined;
  },
  'controller frozen': async ({ kill, random }) => {
    kill('SIGSTOP');
    await sleep(random() * 8000);
    kill('SIGCONT');
    return undefined;
  },
  'source link cut': async ({ lab, from, random }) => cut(lab, from, random),
  'destination link cut': async ({ lab, to, random }) => cut(lab, to, random),
  'source criu killed': async ({ lab, from }) => endProcesses(lab, from, PROCESSES.dump),
  'destination criu killed': async ({ lab, to }) => endProcesses(lab, to, PROCESSES.restore),
  'source hold script killed': async ({ lab, from }) => endProcesses(lab, from, PROCESSES.dumpHold),
  'destination hold script killed': async ({ lab, to }) => endProcesses(lab, to, PROCESSES.restoreHold),
  'ssh connections killed': async ({ lab, from, to, random }) =>
    endProcesses(lab, random() < 0.5 ? from : to, PROCESSES.ssh),
};

async function endProcesses(lab: MigrationLab, host: 'a' | 'b', pattern: string): Promise<Healing> {
  return (await killProcesses(lab, host, pattern)) === 0 ? 'miss' : undefined;
}

/** For a while, or until the run has ended. */
async function cut(lab: MigrationLab, host: 'a' | 'b', random: () => number): Promise<Healing> {
  link(lab, host, 'down');
  if (random() < 0.3) return () => link(lab, host, 'up');
  await sleep(random() * 9000);
  link(lab, host, 'up');
  return undefined;
}

describe.skipIf(labSkipReason !== undefined)('soak', () => {
  const labs: MigrationLab[] = [];
  const counts = new Map<string, Map<string, number>>();
  beforeAll(async () => {
    for (let index = 0; index < LABS; index++) labs.push(await MigrationLab.up());
  });
  afterAll(async () => {
    const file = process.env['CRIU_FLOW_FAULTS_RESULT'];
    const table = [...counts].map(([fault, ends]) => [fault, Object.fromEntries(ends)]);
    if (file !== undefined)
      writeFileSync(file, JSON.stringify({ seed: SEED, migrations: MIGRATIONS, table }));
    for (const lab of labs) await lab.down();
  });

  for (let index = 0; index < LABS; index++) {
    test.concurrent(`there and back, seed ${SEED}, lab ${index + 1} of ${LABS}`, async () => {
      const lab = labs[index];
      if (!lab) throw new Error('no lab');
      const random = randomFrom(SEED * 1000 + index);
      const state = join(lab.directory, 'soak');
      mkdirSync(state);
      await spreadPids(lab);
      const pid = await lab.startService({ memoryMiB: 8 });
      let on: 'a' | 'b' = 'a';
      for (let number = 1; number <= Math.ceil(MIGRATIONS / LABS); number++) {
        const { fault, story, ended } = await move(lab, on, random, state);
        const alive: ('a' | 'b')[] = [];
        for (const host of ['a', 'b'] as const)
          if ((await lab.processStart(host, pid)) !== '') alive.push(host);
        const where = `migration ${number} from ${on}, ${fault}\n${story}`;
        expect(alive, where).toHaveLength(1);
        const end = `${alive[0] === on ? 'stayed' : 'moved'}${ended}`;
        // Whatever a fault leaves, the next migration must not suffer from it.
        if (fault === 'nothing') expect(end, where).toBe('moved (0)');
        on = alive[0] ?? on;
        expect(await lookAtService(lab, on), where).toEqual([]);
        expect(await leftOnHosts(lab), where).toEqual([]);
        const ends = counts.get(fault) ?? new Map<string, number>();
        ends.set(end, (ends.get(end) ?? 0) + 1);
        counts.set(fault, ends);
        process.stdout.write(`soak lab ${index + 1} migration ${number}: ${fault}: ${end}\n`);
      }
    });
  }
});

async function move(
  lab: MigrationLab,
  from: 'a' | 'b',
  random: () => number,
  state: string,
): Promise<{ readonly fault: string; readonly story: string; readonly ended: string }> {
  const to = from === 'a' ? 'b' : 'a';
  const env = { XDG_STATE_HOME: state };
  const recipe = lab.writeRecipe({
    workload: 'pidFile: /srv/tcp/pid',
    network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
    files: ['/srv/tcp'],
    steps: steps(lab.address),
    from,
    to,
  });
  const argv = [main, 'run', recipe, '--lab', lab.lab.name, '--reporter', 'plain'];
  const child = spawn(process.execPath, argv, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), CONTROLLER_MS);
  const over = new Promise<number | null>((resolve) => child.on('close', resolve));
  const names = Object.keys(FAULTS);
  const fault = names[Math.floor(random() * names.length)] ?? 'nothing';
  const phase = PHASES[Math.floor(random() * PHASES.length)] ?? '';
  while (child.exitCode === null && !said.includes(`phase ${phase}\n`)) await sleep(2);
  await sleep(random() * LATEST_MS);
  const isOver = child.exitCode !== null;
  const heal = await FAULTS[fault]?.({ lab, from, to, random, kill: (signal) => child.kill(signal) });
  const exitCode = await over;
  clearTimeout(timer);
  if (typeof heal === 'function') heal();
  await lab.forget('a');
  await lab.forget('b');
  const story = [said];
  const followed = exitCode === 0 ? [] : await follow(lab, env, story);
  const ended = followed.length > 0 ? `, by ${followed.join(', ')}` : ` (${exitCode ?? 'killed'})`;
  const isMiss = isOver || heal === 'miss';
  return {
    fault: fault === 'nothing' || isMiss ? 'nothing' : fault,
    story: [`${fault}${isMiss ? ', which missed' : ''}, in ${phase}`, ...story].join('\n'),
    ended,
  };
}

/** Numbers from 0 to 1 that are the same for the same seed: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
