import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BOUNDARIES } from '../faults/boundaries.ts';
import { MATRIX_FAULTS } from '../faults/matrix-faults.ts';
import { runCell } from '../faults/run-cell.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

/** A few cells of the matrix of `npm run faults`, of each way in which a run is brought to its end. */
const CELLS = [
  ['preflight', 'disk full in the run directory', 'source (5)'],
  ['transfer', 'source criu killed', 'source (5)'],
  ['transfer', 'ssh refused by the source', 'source, by rollback'],
  ['restore', 'images truncated', 'source (5)'],
  // Who finds it gone first decides, the commit or its supervisor; its tasks have run nothing until then.
  ['commit', 'source hold script killed', 'source (5)', 'destination (0)'],
  ['commit', 'disk full on the destination', 'destination (0)'],
  ['release', 'controller SIGKILL', 'destination, by resume'],
  ['release', 'destination criu killed', 'destination (0)'],
  ['release', 'destination host killed', 'destination, by resume'],
] as const;

describe.skipIf(labSkipReason !== undefined)('of the fault matrix', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up();
  });
  afterAll(() => lab?.down());

  test.each(CELLS)('%s x %s: %s', async (before, what, ...expected) => {
    const boundary = BOUNDARIES.find(({ title }) => title === before);
    const fault = MATRIX_FAULTS.find(({ title }) => title === what);
    if (!boundary || !fault) throw new Error('no such cell');
    const { state, story, violations } = await runCell(lab, boundary, fault);
    expect(violations, `${state}\n${story}`).toEqual([]);
    expect(expected, story).toContain(state);
  });
});
