import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../helpers/cli.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

/** Steps of the move, and what a recipe has besides, as keys of its top. */
const MOVE = '- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore';

describe.skipIf(labSkipReason !== undefined)('hooks, checks and approval', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up();
  });
  afterAll(() => lab?.down());
  afterEach(() => lab.reset());

  const recipe = (more: string, steps = MOVE): string =>
    lab.writeRecipe({
      workload: 'pidFile: /srv/tcp/pid',
      network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
      files: ['/srv/tcp'],
      steps: `${steps}\n`,
      more: `probes: { accepts: { tcp: { address: ${lab.address}, port: 7000, from: destination, timeout: 2s } } }\n${more}`,
    });
  const run = (file: string, onStdout?: (text: string) => void): ReturnType<typeof runCli> =>
    runCli(['run', file, '--lab', lab.lab.name, '--reporter', 'plain'], onStdout ? { onStdout } : {});
  const newestRun = (): string =>
    readdirSync(join(lab.directory, 'state', 'criu-flow', 'runs'))
      .toSorted()
      .at(-1) ?? '';

  test('a hook finds the workload frozen or running as its name says', async () => {
    const pid = await lab.startService();
    const look = (on: string, mark: string): string =>
      `[{ uses: command, name: ${mark}, register: ${mark}, readOnly: true, with: { on: ${on}, argv: [sh, -c, 'cut -d " " -f 3 /proc/${pid}/stat 2> /dev/null || echo gone'] } }]`;
    const ended = await run(
      recipe(
        `hooks:
  dump: { before: ${look('source', 'before')}, after: ${look('source', 'after')} }
  commit: { after: ${look('destination', 'moved').replace('readOnly: true, ', '')} }`,
      ),
    );
    expect(ended.exitCode, ended.stdout).toBe(0);
    const journal = join(lab.directory, 'state', 'criu-flow', 'runs', newestRun(), 'journal.jsonl');
    const results = new Map(
      readFileSync(journal, 'utf8')
        .split('\n')
        .filter((line) => line.includes('"result-registered"'))
        .map((line) => {
          const { name, result }: { name: string; result: { stdout: string } } = JSON.parse(line);
          return [name, result.stdout] as const;
        }),
    );
    expect(results.get('before')).toMatch(/^[SR]$/);
    expect(results.get('after')).toMatch(/^[tT]$/);
    expect(results.get('moved')).toMatch(/^[SR]$/);
  });

  test('a check before anything is touched refuses the run', async () => {
    await lab.startService();
    const traces = await lab.traces('b');
    const refused = await run(
      recipe(
        `checks: { before: [{ tcp: { address: ${lab.address}, port: 1, from: destination, timeout: 1s } }, accepts] }`,
      ),
    );
    expect(refused.exitCode, refused.stdout).toBe(4);
    expect(refused.stdout).toContain('VERIFY_FAILED');
    expect(await lab.tracesSettled('b', traces)).toBe(traces);
    expect(await lab.untilAnswered(10)).toMatchObject({ connected: true, lost: 0 });
  });

  test('a step that fails after the commit has the workload moved back, if the recipe says so', async () => {
    const pid = await lab.startService();
    const verify = `- { uses: verify, with: { checks: [{ tcp: { address: ${lab.address}, port: 1, from: destination, timeout: 1s } }] } }`;
    const steps = `${MOVE}\n${verify}`;
    const kept = await run(recipe('', steps));
    expect(kept.exitCode, kept.stdout).toBe(7);
    expect(await lab.processStart('b', pid)).not.toBe('');
    expect(await lab.untilAnswered(10)).toMatchObject({ connected: true, lost: 0, duplicated: 0 });

    const there = readFileSync(recipe('onFailure: migrate-back', steps), 'utf8');
    const moved = await run(
      lab.writeText(there.replace('source: a, destination: b', 'source: b, destination: a')),
    );
    expect(moved.exitCode, moved.stdout).toBe(5);
    expect(moved.stdout).toContain('the workload is moved back to b (onFailure: migrate-back)');
    expect(await lab.processStart('b', pid)).not.toBe('');
    expect(await lab.processStart('a', pid)).toBe('');
    expect(await lab.untilAnswered(10)).toMatchObject({
      ...{ connected: true, lost: 0, duplicated: 0, forgotten: 0 },
    });
    for (const host of ['a', 'b'])
      expect(await lab.sh(host, 'find /var/lib/criu-flow 2> /dev/null; nft list ruleset')).toBe('');
  });

  test('an outage that is too long before the commit rolls the run back, and its client stays', async () => {
    await lab.startService();
    const rolledBack = await run(
      recipe(
        `checks: { during: [{ probe: accepts, every: 50ms, outage: 1ms }] }
hooks: { dump: { after: [{ uses: command, readOnly: true, with: { on: source, argv: [sleep, '60'] } }] } }`,
      ),
    );
    expect(rolledBack.exitCode, rolledBack.stdout).toBe(5);
    expect(rolledBack.stdout).toContain('OUTAGE_TOO_LONG');
    expect(await lab.untilAnswered(10)).toMatchObject({ connected: true, lost: 0, duplicated: 0 });
  });

  test('people are waited for: who agrees lets it go on, who does not ends it with nothing touched', async () => {
    await lab.startService();
    for (const [args, exitCode] of [
      [['--reject', '--reason', 'not today'], 9],
      [[], 0],
    ] as const) {
      let answer: ReturnType<typeof runCli> | undefined;
      const ended = await run(recipe('', `- { uses: approve, with: { message: Now? } }\n${MOVE}`), (text) => {
        if (text.includes('waits for 1 approval')) answer = runCli(['approve', newestRun(), ...args]);
      });
      expect(await answer).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(': Now?') });
      expect(ended.exitCode, ended.stdout).toBe(exitCode);
      expect(await lab.untilAnswered(10)).toMatchObject({ connected: true, lost: 0, duplicated: 0 });
    }
    expect(await runCli(['approve', newestRun()])).toMatchObject({ exitCode: 2 });
  });
});
