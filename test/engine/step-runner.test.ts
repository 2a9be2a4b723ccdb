import { existsSync, mkdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { Redactor } from '../../src/engine/redactor.ts';
import { StepRunner } from '../../src/engine/step-runner.ts';
import { FlowError } from '../../src/errors/flow-error.ts';
import type { FlowEvent } from '../../src/events/event.ts';
import { LocalHost } from '../../src/host/local.ts';
import type { PlanStep } from '../../src/plan/plan.ts';
import { STEP_TYPES } from '../../src/steps/registry.ts';
import type { CleanUp } from '../../src/steps/step.ts';
import { RunDirectory } from '../../src/store/run-directory.ts';
import { readWorkload } from '../../src/workload/facts.ts';
import { heldByFakeCriu } from '../helpers/fake-criu.ts';
import { planWith } from '../helpers/plan.ts';
import { type StartedProgram, startProgram } from '../helpers/started-program.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

/** The end of a run, from the commit on: both holds are real, of criu only what it does at its end is played. */
describe('a run that has come to the commit', () => {
  const host = new LocalHost();
  let directory: TemporaryDirectory;
  let workload: StartedProgram;
  let events: FlowEvent[];
  let interrupt: AbortController;
  let onEvent: (event: FlowEvent) => void;

  beforeEach(async () => {
    directory = temporaryDirectory();
    workload = await startProgram('cat');
    events = [];
    interrupt = new AbortController();
    onEvent = () => undefined;
  });
  afterEach(async () => {
    await workload.kill();
    directory[Symbol.dispose]();
  });

  const runnerFor = async (...steps: readonly PlanStep[]): Promise<StepRunner> => {
    const plan = planWith({
      source: 'local',
      destination: 'local',
      workload: { kind: 'pid', pid: workload.pid },
      steps,
    });
    const runner = new StepRunner({
      plan,
      runId: 'test',
      epoch: 1,
      connection: { source: host, destination: host, local: host, lost: {}, close: async () => undefined },
      emit: (event) => {
        events.push(event);
        onEvent(event);
      },
      directory: RunDirectory.create('test', plan, {}, { XDG_STATE_HOME: directory.at('state') }),
      signal: interrupt.signal,
      secrets: new Map(),
      redactor: new Redactor(),
    });
    for (const side of ['source', 'destination']) mkdirSync(directory.at(side));
    runner.touched = true;
    runner.state.workload = await readWorkload(host, workload.pid);
    runner.state.sourceHold = await heldByFakeCriu(host, directory.at('source'), {
      ends: String(workload.pid),
    });
    return runner;
  };
  const interrupted = new FlowError('INTERRUPTED', 'stopped', { evidence: 'SIGINT' });
  const commit: PlanStep = { uses: 'commit', id: 'commit', title: 'Commit', rollback: [] };
  const touch = (name: string) => ['touch', directory.at(name)] as const;

  test('a check that fails after the move rolls nothing back: a rollback command would start a second copy', async () => {
    const runner = await runnerFor(commit, {
      uses: 'verify',
      id: 'verify',
      title: 'Verify',
      checks: [{ kind: 'command', on: 'destination', argv: ['false'], timeoutMs: 1 }],
      rollback: [{ on: 'source', argv: [...touch('second-copy')] }],
    });
    const hold = await heldByFakeCriu(host, directory.at('destination'));
    // Nothing is restored here.
    hold.findRestored = async () => 'cleaned';
    runner.state.destinationHold = hold;
    expect(await runner.run()).toMatchObject({ failure: { code: 'VERIFY_FAILED' }, undoFailures: [] });
    expect(runner.state).toMatchObject({ committed: true, releasedAtMs: expect.any(Number) });
    expect(existsSync(directory.at('second-copy'))).toBe(false);
    expect(events.map((event) => event.kind)).not.toContain('rollback-started');
  });

  test('what moved and has ended since is told as that, and its images stay', async () => {
    const runner = await runnerFor(commit);
    runner.state.destinationHold = await heldByFakeCriu(host, directory.at('destination'));
    expect(await runner.run()).toMatchObject({
      isLost: true,
      failure: { code: 'WORKLOAD_LOST', command: expect.stringContaining('/hold/settle again') },
    });
    expect(events).not.toContainEqual({ kind: 'phase-started', phase: 'clean-up' });
  });

  test('what moved and has ended does not hide what had failed before', async () => {
    const runner = await runnerFor(commit, {
      uses: 'verify',
      id: 'verify',
      title: 'Verify',
      checks: [{ kind: 'command', on: 'destination', argv: ['false'], timeoutMs: 1 }],
      rollback: [],
    });
    runner.state.destinationHold = await heldByFakeCriu(host, directory.at('destination'));
    expect(await runner.run()).toMatchObject({
      isLost: true,
      failure: { code: 'VERIFY_FAILED' },
      undoFailures: [{ code: 'WORKLOAD_LOST', command: expect.stringContaining('/hold/settle again') }],
    });
  });

  test('what a clean-up on a host needs when it is tried again is not removed by those after it', async () => {
    const cleaned: string[] = [];
    const at = (on: 'source' | 'destination', name: string, fails = false): CleanUp => ({
      on,
      run: async () => {
        cleaned.push(name);
        if (fails) throw new FlowError('HOST_UNREACHABLE', 'no', { host: on });
      },
    });
    Object.assign(STEP_TYPES.verify, { cleanUps: [at('source', 'closes a connection', true)] });
    Object.assign(STEP_TYPES.commit, {
      cleanUps: [at('source', 'removes its directory'), at('destination', 'lifts the fence')],
    });
    onTestFinished(() => {
      for (const uses of ['verify', 'commit'] as const) Object.assign(STEP_TYPES[uses], { cleanUps: [] });
    });
    const runner = await runnerFor(commit, { ...commit, uses: 'verify', id: 'verify', checks: [] });
    const hold = await heldByFakeCriu(host, directory.at('destination'));
    hold.findRestored = async () => 'cleaned';
    runner.state.destinationHold = hold;
    expect(await runner.run()).toMatchObject({ failure: { code: 'CLEAN_UP_FAILED', host: 'source' } });
    expect(cleaned).toEqual(['closes a connection', 'lifts the fence']);
  });

  test('a destination that cannot be released is told as that, also when a ^C came meanwhile, and nothing is undone', async () => {
    const runner = await runnerFor({
      ...commit,
      rollback: [{ on: 'source', argv: [...touch('second-copy')] }],
    });
    onEvent = (event) => {
      if (event.kind === 'phase-started' && event.phase === 'release') interrupt.abort(interrupted);
    };
    // Its criu fails at the end, after the source's copy has ended.
    runner.state.destinationHold = await heldByFakeCriu(host, directory.at('destination'), { fails: true });
    expect(await runner.run()).toMatchObject({
      failure: {
        code: 'RELEASE_FAILED',
        evidence: expect.stringMatching(/^criu ended with exit code 1, see .*restore.log$/),
        command: `sh ${directory.at('destination', 'hold')}/settle again`,
      },
      undoFailures: [],
    });
    expect(interrupt.signal.aborted).toBe(true);
    expect(runner.state).toMatchObject({ committed: true });
    expect(runner.state.releasedAtMs).toBeUndefined();
    expect(existsSync(directory.at('second-copy'))).toBe(false);
    expect(events).not.toContainEqual({ kind: 'phase-started', phase: 'clean-up' });
  });
});
