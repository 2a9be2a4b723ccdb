import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';
import { BOUNDARIES } from './boundaries.ts';
import { bringFakeTime } from './clock-fault.ts';
import { MATRIX_FAULTS } from './matrix-faults.ts';
import { runCell } from './run-cell.ts';

/** Most cells wait for connections to be given up: more labs than cores. */
const LABS = Number(process.env['CRIU_FLOW_FAULTS_LABS'] ?? 4);

/** Of the titles `boundary x fault`; everything by default. */
const ONLY = new RegExp(process.env['CRIU_FLOW_FAULTS'] ?? '', 'i');

describe.skipIf(labSkipReason !== undefined)('fault matrix', () => {
  const free: MigrationLab[] = [];
  const all: MigrationLab[] = [];
  const waiting: ((lab: MigrationLab) => void)[] = [];
  const table = new Map<string, string>();

  const cells = MATRIX_FAULTS.flatMap((fault) => BOUNDARIES.map((boundary) => ({ fault, boundary }))).filter(
    ({ fault, boundary }) => ONLY.test(`${boundary.title} x ${fault.title}`),
  );
  beforeAll(async () => {
    for (let index = 0; index < LABS; index++) all.push(await MigrationLab.up());
    bringFakeTime(all);
    free.push(...all);
  });
  afterAll(async () => {
    const file = process.env['CRIU_FLOW_FAULTS_RESULT'];
    // In the order of the table: cells come to their end in any.
    const inOrder = cells.flatMap(({ fault, boundary }) => {
      const title = `${boundary.title} x ${fault.title}`;
      return [[title, table.get(title) ?? '**did not come to its end**']];
    });
    if (file !== undefined) writeFileSync(file, JSON.stringify(inOrder));
    for (const lab of all) await lab.down();
  });

  const withLab = async <Result>(use: (lab: MigrationLab) => Promise<Result>): Promise<Result> => {
    const lab = free.pop() ?? (await new Promise<MigrationLab>((resolve) => waiting.push(resolve)));
    try {
      return await use(lab);
    } finally {
      const next = waiting.shift();
      if (next) next(lab);
      else free.push(lab);
    }
  };

  for (const { fault, boundary } of cells) {
    test.concurrent(`${boundary.title} x ${fault.title}`, async () => {
      const { state, story, violations } = await withLab((lab) => runCell(lab, boundary, fault));
      table.set(`${boundary.title} x ${fault.title}`, violations.length === 0 ? state : `**${state}**`);
      process.stdout.write(`cell ${boundary.title} x ${fault.title}: ${state}\n`);
      expect(violations, `${state}\n${story}`).toEqual([]);
    });
  }
});
