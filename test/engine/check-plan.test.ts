import { existsSync, readdirSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { checkPlan } from '../../src/engine/check-plan.ts';
import { FlowError } from '../../src/errors/flow-error.ts';
import type { PlanCheck } from '../../src/events/plan-check.ts';
import { LocalHost } from '../../src/host/local.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { lookAround } from '../../src/preflight/look.ts';
import { planWith } from '../helpers/plan.ts';
import { type StartedProgram, startProgram } from '../helpers/started-program.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

let directory: TemporaryDirectory;
let workload: StartedProgram;
beforeEach(async () => {
  directory = temporaryDirectory();
  vi.stubEnv('XDG_STATE_HOME', directory.at('state'));
  workload = await startProgram('cat');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await workload.kill();
  directory[Symbol.dispose]();
});

/** Both hosts are this machine, on which every pid of the workload is taken. */
const planOf = (pid: number, more: Partial<Plan> = {}): Plan =>
  planWith({ source: 'local', destination: 'local', workload: { kind: 'pid', pid }, ...more });
const check = (plan: Plan, signal: AbortSignal = new AbortController().signal): Promise<PlanCheck> =>
  checkPlan(plan, { sshConfigFile: undefined, signal });

test('finds what preflight finds, with the exit code of a run that it refuses', async () => {
  const checked = await check(planOf(workload.pid));
  expect(checked).toMatchObject({
    exitCode: 4,
    workload: { pid: workload.pid, command: 'cat', processes: 1, memoryBytes: expect.any(Number) },
  });
  expect(checked.findings).toContainEqual(
    expect.objectContaining({
      message: expect.stringContaining(`PID ${workload.pid} of the workload is taken`),
    }),
  );
});

test('asks the hosts what preflight asks, and nothing else; takes no lock, makes no run', async () => {
  const locks = '/var/lib/criu-flow/locks';
  const before = existsSync(locks) ? readdirSync(locks) : undefined;
  const ran = vi.spyOn(LocalHost.prototype, 'run');
  const commandsOf = async (look: () => Promise<unknown>): Promise<readonly string[]> => {
    ran.mockClear();
    await look();
    return ran.mock.calls.map(([argv]) => JSON.stringify(argv)).toSorted();
  };
  const host = new LocalHost();
  const plan = planOf(workload.pid, {
    network: { connections: 'keep', address: { cidr: '192.0.2.9/24', device: 'eth0' } },
    // Nothing of the recipe is run, nor is a secret read.
    secrets: { token: { command: ['touch', directory.at('secret')] } },
    steps: [
      {
        ...{ id: '1-command', uses: 'command', title: 'x', rollback: [] },
        ...{ on: 'local', argv: ['touch', directory.at('ran')] },
      },
      { id: '2-preflight', uses: 'preflight', title: 'Check', rollback: [] },
    ],
  });
  const asked = await commandsOf(() => check(plan));
  expect(asked).toEqual(await commandsOf(() => lookAround({ plan, source: host, destination: host })));
  expect(asked.length).toBeGreaterThan(3);
  expect(existsSync(locks) ? readdirSync(locks) : undefined).toEqual(before);
  expect(readdirSync(directory.path)).toEqual([]);
});

test('a workload that is not there is told as in a run', async () => {
  expect(await check(planOf(4_194_304))).toMatchObject({
    exitCode: 4,
    findings: [],
    failure: { code: 'WORKLOAD_NOT_FOUND', host: 'local' },
  });
});

test('a host that cannot be connected to is a refusal', async () => {
  const plan = planOf(workload.pid, { destination: '-oProxyCommand=reboot' });
  expect(await check(plan)).toMatchObject({ exitCode: 4, failure: { code: 'INPUT_INVALID' } });
});

test.each([true, false])(
  'an interruption ends it at once, with the code of its signal (before: %s)',
  async (early) => {
    const interrupt = new AbortController();
    const reason = new FlowError('INTERRUPTED', 'stopped', { evidence: 'SIGTERM' });
    if (early) interrupt.abort(reason);
    else
      vi.spyOn(LocalHost.prototype, 'run').mockImplementation(() => {
        interrupt.abort(reason);
        return new Promise(() => undefined);
      });
    expect(await check(planOf(workload.pid), interrupt.signal)).toMatchObject({
      exitCode: 143,
      failure: { code: 'INTERRUPTED' },
    });
  },
);

test('a host that does not answer in the time of the preflight', async () => {
  vi.spyOn(LocalHost.prototype, 'run').mockReturnValue(new Promise(() => undefined));
  const plan = planOf(workload.pid, {
    steps: [{ id: '1-preflight', uses: 'preflight', title: 'Check', rollback: [], timeoutMs: 100 }],
  });
  expect(await check(plan)).toMatchObject({
    exitCode: 124,
    failure: { code: 'TIMEOUT', message: '“Check” took longer than 0.1 s' },
  });
});
