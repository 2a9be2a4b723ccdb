import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ProbeWatch } from '../../src/engine/probe-watch.ts';
import type { FlowError } from '../../src/errors/flow-error.ts';
import { LocalHost } from '../../src/host/local.ts';
import type { WatchPlan } from '../../src/plan/plan.ts';
import type { Asker } from '../../src/steps/ask-check.ts';

const host = new LocalHost();
const asker: Omit<Asker, 'signal'> = {
  ...{ source: host, destination: host, local: host },
  values: () => ({ inputs: new Map() }),
};

let server: Server;
let isUp = true;
let answered = 0;
beforeEach(async () => {
  [isUp, answered] = [true, 0];
  server = createServer((_, response) => {
    answered += 1;
    response.writeHead(isUp ? 200 : 503).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function planWith(more: Partial<WatchPlan>): WatchPlan {
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const url = `http://127.0.0.1:${port}/`;
  return {
    probe: 'health',
    check: { kind: 'http', url, statuses: [200], timeoutMs: 5000, from: 'local' },
    everyMs: 10,
    ...more,
  };
}

test('tells the longest time without a good answer, and how often it asked in vain', async () => {
  const watch = new ProbeWatch(
    [planWith({})],
    () => asker,
    () => undefined,
  );
  watch.start();
  await expect.poll(() => answered).toBeGreaterThan(3);
  isUp = false;
  const before = answered;
  await expect.poll(() => answered).toBeGreaterThan(before + 10);
  isUp = true;
  const since = answered;
  await expect.poll(() => answered).toBeGreaterThan(since + 3);
  const [report] = watch.stop();
  expect(report).toMatchObject({ probe: 'health' });
  expect(report?.failed).toBeGreaterThanOrEqual(8);
  // Ten questions in a row, 10 ms apart, were answered with 503.
  expect(report?.longestOutageMs).toBeGreaterThan(50);
  expect(report?.asked).toBeGreaterThan(report?.failed ?? 0);
});

test('says when it lasts longer than it may, and what was asked', async () => {
  const told: FlowError[] = [];
  const watch = new ProbeWatch(
    [planWith({ outageMs: 100 })],
    () => asker,
    (error) => told.push(error),
  );
  isUp = false;
  watch.start();
  await expect.poll(() => told.length).toBeGreaterThan(0);
  expect(told[0]).toMatchObject({
    code: 'OUTAGE_TOO_LONG',
    evidence: expect.stringContaining('answers 200'),
  });
  expect(watch.stop()).toMatchObject([{ outageMs: 100 }]);
});

test('of one that was never begun there is nothing to tell', () => {
  expect(
    new ProbeWatch(
      [planWith({})],
      () => asker,
      () => undefined,
    ).stop(),
  ).toEqual([]);
});

test('what is not answered when it ends keeps nobody waiting', async () => {
  const open = new Set<unknown>();
  server.removeAllListeners('request');
  server.on('request', (request) => {
    open.add(request);
    request.once('close', () => open.delete(request));
  });
  const watch = new ProbeWatch(
    [planWith({})],
    () => asker,
    () => undefined,
  );
  watch.start();
  await expect.poll(() => open.size).toBeGreaterThan(1);
  const reports = watch.stop();
  await expect.poll(() => open.size).toBe(0);
  expect(watch.stop()).toBe(reports);
});
