import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SETTLE_DUMP_SCRIPT } from '../../src/criu/settle-script.ts';
import { FlowError } from '../../src/errors/flow-error.ts';
import type { Host } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import { commit } from '../../src/steps/commit.ts';
import type { RunState, StepContext } from '../../src/steps/step.ts';
import { readWorkload } from '../../src/workload/facts.ts';
import { type FakeCriu, heldByFakeCriu } from '../helpers/fake-criu.ts';
import { type StartedProgram, startProgram } from '../helpers/started-program.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

/** Both holds are real; of criu only what it does at its end is played. */
describe('the commit', () => {
  let directory: TemporaryDirectory;
  let workload: StartedProgram;
  beforeEach(async () => {
    directory = temporaryDirectory();
    for (const side of ['source', 'destination']) mkdirSync(directory.at(side));
    // A root and one child.
    workload = await startProgram('sh', '-c', 'read -r line; sleep 4711 > /dev/null & echo "$line"; wait');
  });
  afterEach(async () => {
    await workload.kill();
    directory[Symbol.dispose]();
  });

  const contextFor = async (how: {
    readonly source?: FakeCriu;
    /** The source's hold does criu's part when criu does not. */
    readonly isRecovered?: boolean;
    readonly destination?: FakeCriu;
    readonly host?: Host;
  }): Promise<{ context: StepContext; state: RunState; phases: string[] }> => {
    const host = how.host ?? new LocalHost();
    const facts = await readWorkload(new LocalHost(), workload.pid);
    const phases: string[] = [];
    const state: RunState = {
      committed: false,
      restoreBegan: true,
      workload: facts,
      sourceHold: await heldByFakeCriu(host, directory.at('source'), {
        ...how.source,
        ...(how.isRecovered === true && {
          options: { recovery: { script: SETTLE_DUMP_SCRIPT, tasks: facts.processes, again: ['false'] } },
        }),
      }),
      destinationHold: await heldByFakeCriu(host, directory.at('destination'), how.destination),
    };
    const context = {
      plan: { steps: [], files: [{ path: directory.at('data') }], network: {} },
      source: host,
      destination: host,
      state,
      signal: new AbortController().signal,
      phase: (phase: string) => phases.push(phase),
    } as unknown as StepContext;
    return { context, state, phases };
  };
  const run = (context: StepContext): Promise<unknown> => commit.main.run(context, {} as never);
  const decided = (side: string): boolean => existsSync(directory.at(side, 'hold', 'decision'));
  const everyProcess = (): string => `-${workload.pid}`;

  test('ends the source’s copy, then lets the destination’s run', async () => {
    const { context, state, phases } = await contextFor({ source: { ends: everyProcess() } });
    await run(context);
    expect(phases).toEqual(['commit', 'release']);
    expect(state).toMatchObject({ committed: true, releasedAtMs: expect.any(Number) });
    expect(decided('destination')).toBe(true);
  });

  test('an interruption before the decision is in time', async () => {
    const { context, state } = await contextFor({});
    const interrupted = { ...context, signal: AbortSignal.abort(new FlowError('INTERRUPTED', 'stopped')) };
    await expect(run(interrupted)).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(state.committed).toBe(false);
    expect(decided('source')).toBe(false);
  });

  test('a source whose lease was over has decided: it can be rolled back, and the destination hears nothing', async () => {
    const { context, state } = await contextFor({});
    writeFileSync(directory.at('source', 'hold', 'decision'), 'abort lease\n');
    await expect(run(context)).rejects.toMatchObject({ code: 'HOLD_LOST' });
    expect(state.committed).toBe(false);
    expect(decided('destination')).toBe(false);
  });

  test('a destination that has given its copy up: the source is not told to end its own', async () => {
    const { context, state } = await contextFor({});
    writeFileSync(directory.at('destination', 'hold', 'lease-end'), 'expired\n');
    await expect(run(context)).rejects.toMatchObject({ code: 'HOLD_LOST' });
    expect(state.committed).toBe(false);
    expect(decided('source')).toBe(false);
  });

  test('a criu that left the source’s copy alive, and nobody could end it: the destination hears nothing, and there is no way back', async () => {
    const { context, state } = await contextFor({ source: { fails: true } });
    await expect(run(context)).rejects.toMatchObject({
      code: 'COMMIT_FAILED',
      evidence: expect.stringContaining('criu ended with exit code 1; alive: '),
      command: `kill -KILL ${state.workload?.processes.map(({ pid }) => pid).join(' ')}`,
    });
    expect(state.committed).toBe(true);
    expect(decided('destination')).toBe(false);
  });

  test('a criu that ended the source’s copy and failed all the same has committed', async () => {
    const { context, state } = await contextFor({ source: { fails: true, ends: everyProcess() } });
    await run(context);
    expect(state).toMatchObject({ committed: true, releasedAtMs: expect.any(Number) });
  });

  test('a criu that was killed after the commit: its part is done in its place, and the destination’s copy runs', async () => {
    const { context, state } = await contextFor({ source: { fails: true }, isRecovered: true });
    await run(context);
    expect(state).toMatchObject({ committed: true, releasedAtMs: expect.any(Number) });
  });

  test('a criu that ended only a part of the source’s copy: neither back nor forth, a person has to look', async () => {
    const { context, state } = await contextFor({ source: { fails: true, ends: String(workload.pid) } });
    const child = state.workload?.processes[1]?.pid ?? 0;
    await expect(run(context)).rejects.toMatchObject({
      code: 'COMMIT_FAILED',
      evidence: expect.stringContaining(`alive: ${child}`),
    });
    expect(state.committed).toBe(true);
    expect(decided('destination')).toBe(false);
    process.kill(child, 'SIGKILL');
  });

  test.each(['source', 'destination'])(
    'a connection to the %s that is lost for a moment is made again',
    async (side) => {
      const host = new FlakyHost(directory.at(side));
      const { context, state } = await contextFor({ host, source: { ends: everyProcess() } });
      host.failures = 2;
      await run(context);
      expect(host.failures).toBe(0);
      expect(state).toMatchObject({ committed: true, releasedAtMs: expect.any(Number) });
    },
  );
});

/** This machine, whose answers about one directory are lost on the way, although the commands ran. */
class FlakyHost implements Host {
  readonly name = 'flaky';
  failures = 0;
  readonly #local = new LocalHost();
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async run(...args: Parameters<Host['run']>): ReturnType<Host['run']> {
    const result = await this.#local.run(...args);
    if (this.failures === 0 || !args[0].some((argument) => argument.startsWith(this.#directory)))
      return result;
    this.failures -= 1;
    throw new FlowError('HOST_UNREACHABLE', 'The connection was lost', { host: this.name });
  }

  async standBy(): Promise<void> {
    // Nothing to prepare.
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}
