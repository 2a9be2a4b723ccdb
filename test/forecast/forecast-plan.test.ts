import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { formatForecast } from '../../src/cli/format-forecast.ts';
import { forecastPlan } from '../../src/forecast/forecast-plan.ts';
import type { ForecastStep } from '../../src/forecast/forecast.ts';
import { loadPlan } from '../../src/plan/load-plan.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { createPaint } from '../../src/report/format.ts';
import { planWith } from '../helpers/plan.ts';

const cwd = fileURLToPath(new URL('.', import.meta.url));
const hosts = ['source=root@a', 'destination=root@b'];

/** A recipe with everything that a recipe can have. */
const rich = (): Promise<Plan> =>
  loadPlan({ recipe: './rich.yaml', inputs: hosts, environment: { API_TOKEN: 'hush-hush' }, cwd });
const service = async (): Promise<Plan> => {
  const inputs = ['pidFile=/run/video.pid', 'address=10.0.0.9/24', 'port=7000', 'files=/srv/video'];
  const plan = await loadPlan({ recipe: 'tcp-service-rsync', inputs: [...hosts, ...inputs], cwd });
  // Where this is checked out is in both.
  return { ...plan, file: 'recipes/tcp-service-rsync.yaml', digest: '0'.repeat(64) };
};
const text = (plan: Plan): string => formatForecast(forecastPlan(plan), createPaint(false));

const bundled =
  (recipe: string, ...inputs: readonly string[]): (() => Promise<Plan>) =>
  async () => {
    const plan = await loadPlan({ recipe, inputs: [...hosts, 'pid=4711', ...inputs], cwd });
    return { ...plan, file: `recipes/${recipe}.yaml`, digest: '0'.repeat(64) };
  };

test.each([
  ['process-stream', bundled('process-stream')],
  ['process-auto', bundled('process-auto')],
  ['process-post-copy', bundled('process-post-copy')],
  ['process-pre-copy', bundled('process-pre-copy')],
  ['process-sftp', bundled('process-sftp')],
  ['process-shared', bundled('process-shared', 'directory=/srv/shared')],
  ['tcp-service-rsync', service],
  ['rich', rich],
] as const)('%s, for people', async (name, plan) => {
  await expect(`${text(await plan())}\n`).toMatchFileSnapshot(`snapshots/${name}.txt`);
});

test('the freeze, the commit point and the end of the pause are in the steps where they are', async () => {
  const marks = forecastPlan(await rich()).steps.flatMap(({ uses, acts }) =>
    acts.flatMap((act) => (act.kind === 'mark' ? [`${uses} ${act.mark}`] : [])),
  );
  expect(marks).toEqual(['dump freeze', 'commit commit-point', 'commit runs-again']);
});

test('the steps are those of the plan, with what the engine does around them', async () => {
  const plan = await rich();
  expect(forecastPlan(plan).steps.map(({ id }) => id)).toEqual([
    'lock',
    ...plan.steps.map(({ id }) => id),
    ...plan.always.map(({ id }) => id),
    'clean-up',
  ]);
});

test('it is plain JSON with the digest of the plan, and every placeholder is explained', async () => {
  const plan = await rich();
  const forecast = forecastPlan(plan);
  expect(JSON.parse(JSON.stringify(forecast))).toEqual(forecast);
  expect(forecast.digest).toBe(plan.digest);
  const needed = new Set<string>();
  JSON.stringify(forecast, (key, value: unknown) => {
    if (key === 'needs') for (const each of value as readonly string[]) needed.add(each);
    return value;
  });
  expect(Object.keys(forecast.placeholders).toSorted()).toEqual([...needed].toSorted());
  expect(needed).toContain('<results.watchdog.stdout>');
});

test('a word is exactly what is given, or says what is missing in it', async () => {
  const byId = new Map(forecastPlan(await rich()).steps.map((step) => [step.id, step]));
  const commandOf = (id: string): unknown => {
    const act = byId.get(id)?.acts[0];
    return act?.kind === 'work' ? act.commands[0] : undefined;
  };
  expect(commandOf('3.2-command')).toEqual({
    on: 'source',
    argv: [
      ...['systemctl', 'stop', 'b.service'],
      { text: 'was <results.watchdog.stdout> on root@a', needs: ['<results.watchdog.stdout>'] },
    ],
  });
  expect(commandOf('4-command')).toMatchObject({
    env: { HOST: 'a' },
    stdin: { text: 'Authorization: Bearer <secret token>', needs: ['<secret token>'] },
  });
});

test('what a step has besides its work is told', async () => {
  const byId = new Map<string, ForecastStep>(forecastPlan(await rich()).steps.map((step) => [step.id, step]));
  expect(byId.get('3.1-command')).toMatchObject({
    when: '{{ results.watchdog.exitCode == 0 }}',
    timeoutMs: 60_000,
    retry: { attempts: 10 },
    rollback: [{ on: 'source', argv: ['systemctl', 'start', 'x'] }],
  });
  expect(byId.get('2-command')).toMatchObject({ readOnly: true, exitCodes: [0, 3], register: 'watchdog' });
  expect(byId.get('4-command')).toMatchObject({ irreversible: 'The balancer takes the host back.' });
  expect(byId.get('5-block')).toMatchObject({ steps: [{}], rescue: [{}], always: [{}] });
  expect(byId.get('always.1-command')).toMatchObject({ isAlways: true });
  expect(byId.get('1-approve')).toMatchObject({ approval: { approvals: 2 }, timeoutMs: 1_800_000 });
  expect(byId.get('dump.before.1-command')?.rollback).toHaveLength(1);
});

test('the pause is made up of what is stated', async () => {
  const plan = await service();
  const pause = forecastPlan(plan, 512 * 1024 * 1024).pause!;
  const { dumpMsPerMiB, transferMsPerMiB, restoreMsPerMiB, roundTrips, roundTripMs, fixedMs } = pause;
  // The orders to dump, to transfer, to restore; the waiver, the commit, the release.
  expect(roundTrips).toBe(6);
  const ms = 512 * (dumpMsPerMiB + transferMsPerMiB + restoreMsPerMiB) + roundTrips * roundTripMs + fixedMs;
  expect(pause.estimates).toEqual([{ memoryBytes: 512 * 1024 * 1024, ms: Number(ms.toPrecision(2)) }]);
  expect(pause).toMatchObject({ objectiveMs: 5000, mostMemoryBytes: expect.any(Number) });
  expect(ms > 5000).toBe((pause.mostMemoryBytes ?? 0) < 512 * 1024 * 1024);
  // What was measured between two hosts without a link in between is what the assumptions are made of.
  expect(64 * (dumpMsPerMiB + restoreMsPerMiB) + fixedMs).toBeCloseTo(400, -1);
});

test('an objective that no workload meets is told as that; what stands in the pause is named', async () => {
  const { pause } = forecastPlan(await rich());
  expect(pause).toMatchObject({ objectiveMs: 200, mostMemoryBytes: 0 });
  expect(pause?.notCounted).toEqual([expect.stringContaining('dump.after.1-command')]);
});

test('nothing of a recipe steers the terminal, and a script forges no line of ours', () => {
  const plan = planWith({
    name: 'a\u001b[2Jb\u202e',
    source: 'root@a\u0007',
    steps: [
      {
        ...{ id: '1-command', uses: 'command', title: 'x\u001b]0;y\u0007', rollback: [], on: 'source' },
        argv: ['sh', '-c', 'echo 1\n────\u001b[31m\n==== commit point', '\u200b'],
      },
    ],
  });
  const shown = text(plan);
  expect(shown).not.toMatch(/[^\P{Cc}\n]|[\u200b\u202e]/u);
  expect(shown).not.toMatch(/^\S.*commit point/m);
  expect(shown).toMatch(/^ {14}==== commit point/m);
});
