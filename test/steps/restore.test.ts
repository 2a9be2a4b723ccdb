import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SETTLE_RESTORE_SCRIPT } from '../../src/criu/settle-script.ts';
import { LocalHost } from '../../src/host/local.ts';
import { restore } from '../../src/steps/restore.ts';
import type { RunState, StepContext } from '../../src/steps/step.ts';
import { readWorkload } from '../../src/workload/facts.ts';
import { workloadState } from '../../src/workload/identity.ts';
import { heldByFakeCriu } from '../helpers/fake-criu.ts';
import { startProgram } from '../helpers/started-program.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const host = new LocalHost();

test.each(['commit', 'abort'] as const)(
  'undoing a restore after %s: a copy that was let run is never ended',
  async (decision) => {
    using directory = temporaryDirectory();
    await using restored = await startProgram('cat');
    const workload = await readWorkload(host, restored.pid);
    const recovery = { script: SETTLE_RESTORE_SCRIPT, tasks: workload.processes, again: ['false'] };
    const destinationHold = await heldByFakeCriu(host, directory.path, { options: { recovery } });
    // As if criu had restored it: it began after criu did.
    writeFileSync(directory.at('hold', 'started'), '0\n');
    await destinationHold.decide(decision);
    const state: RunState = { committed: false, restoreBegan: true, workload, destinationHold };
    const context = {
      source: host,
      destination: host,
      plan: { steps: [], network: {} },
      state,
    } as unknown as StepContext;

    const undoing = restore.main.undo?.run(context, {} as never);
    if (decision === 'commit') {
      await expect(undoing).rejects.toMatchObject({ code: 'RESUME_REFUSED' });
      expect(await workloadState(host, restored.pid, undefined)).toBe('running');
    } else {
      await undoing;
      await expect.poll(() => workloadState(host, restored.pid, undefined)).toBe('gone');
    }
  },
);
