import { expect, test } from 'vitest';
import { digestOf } from '../../src/plan/digest.ts';
import { planBack } from '../../src/plan/plan-back.ts';
import { planWith } from '../helpers/plan.ts';

test('the way back has the steps of the move alone, between the same hosts, and a digest of its own', () => {
  const step = { title: 't', rollback: [{ on: 'source', argv: ['start'] }] } as const;
  const plan = planWith({
    onFailure: 'migrate-back',
    files: [{ path: '/srv/x' }],
    network: { connections: 'keep', address: { cidr: '10.0.0.9/24', device: 'eth0' } },
    objectives: { downtimeMs: 5 },
    secrets: { token: { env: 'TOKEN' } },
    rollback: [{ on: 'local', argv: ['told'] }],
    steps: [
      { ...step, id: '1-preflight', uses: 'preflight' },
      { ...step, id: 'dump.before.1-command', uses: 'command', on: 'local', argv: ['drain'] },
      { ...step, id: 'prepare', uses: 'prepare' },
      { ...step, id: '2-dump', uses: 'dump', timeoutMs: 9 },
      { ...step, id: '3-transfer', uses: 'transfer/rsync' },
      { ...step, id: '4-restore', uses: 'restore' },
      { ...step, id: '5-commit', uses: 'commit' },
      { ...step, id: '6-verify', uses: 'verify', checks: [] },
    ],
  });
  const back = planBack(plan, 4711);
  expect(back).toMatchObject({
    ...{ source: plan.destination, destination: plan.source },
    ...{ network: plan.network, files: plan.files },
    workload: { kind: 'pid', pid: 4711 },
    ...{ onFailure: 'keep', rollback: [], always: [], watches: [], secrets: {}, objectives: {} },
  });
  expect(back.steps.map(({ id, rollback }) => [id, rollback.length])).toEqual([
    ['1-preflight', 0],
    ['prepare', 0],
    ['2-dump', 0],
    ['3-transfer', 0],
    ['4-restore', 0],
    ['5-commit', 0],
  ]);
  expect(back.steps[2]).toHaveProperty('timeoutMs', 9);
  expect(back.digest).toBe(digestOf(back));
});
