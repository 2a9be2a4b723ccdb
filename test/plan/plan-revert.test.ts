import { expect, test } from 'vitest';
import { digestOf } from '../../src/plan/digest.ts';
import { planRevert } from '../../src/plan/plan-revert.ts';
import { planWith } from '../helpers/plan.ts';

test('a revert ends the copy where it moved to, and has nothing of the recipe but its hosts and its address', () => {
  const step = { title: 't', rollback: [{ on: 'source', argv: ['start'] }] } as const;
  const plan = planWith({
    onFailure: 'revert',
    files: [{ path: '/srv/x' }],
    network: { connections: 'keep', address: { cidr: '10.0.0.9/24', device: 'eth0' } },
    objectives: { downtimeMs: 5 },
    secrets: { token: { env: 'TOKEN' } },
    rollback: [{ on: 'local', argv: ['told'] }],
    steps: [
      { ...step, id: '1-preflight', uses: 'preflight' },
      { ...step, id: '2-dump', uses: 'dump' },
    ],
  });
  const replaces = { pid: 4711, startTicks: 99 };
  const revert = planRevert(plan, { series: 'revert-x', id: 1, boot: 'x', replaces });
  expect(revert).toMatchObject({
    ...{ kind: 'move', source: plan.destination, destination: plan.source },
    // They have gone on since, and the files are where the workload left them.
    ...{ network: { ...plan.network, connections: 'close' }, files: [] },
    workload: { kind: 'revert', series: 'revert-x', id: 1, boot: 'x', replaces },
    ...{ onFailure: 'keep', rollback: [], always: [], watches: [], secrets: {}, objectives: {} },
  });
  expect(revert.steps.map(({ id, rollback }) => [id, rollback.length])).toEqual([
    ['1-preflight', 0],
    ['prepare', 0],
    ['3-give-up', 0],
    ['4-transfer', 0],
    ['5-restore', 0],
    ['6-commit', 0],
  ]);
  expect(revert.digest).toBe(digestOf(revert));
});
