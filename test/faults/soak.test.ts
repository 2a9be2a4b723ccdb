import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labSkipReason } from '../helpers/migration-lab.ts';
import { again, type Choice, choices } from './choices.ts';
import { bringFakeTime } from './clock-fault.ts';
import { nothing, SOAK_FAULTS } from './soak-faults.ts';
import { type Migration, SoakLab } from './soak-lab.ts';
import { Tally } from './tally.ts';

const SEED = Number(process.env['CRIU_FLOW_SOAK_SEED'] ?? 1);
const MIGRATIONS = Number(process.env['CRIU_FLOW_SOAK_MIGRATIONS']);
const LABS = Number(process.env['CRIU_FLOW_FAULTS_LABS'] ?? 3);

/** `LAB/NUMBER`: this choice alone, again and again. */
const [ONLY_LAB, ONLY_NUMBER] = (process.env['CRIU_FLOW_SOAK_CHOICE'] ?? '').split('/').map(Number);

/** What misses is tried again with the next choice, but not for ever. */
const MOST_TRIES = 3;

describe.skipIf(labSkipReason !== undefined)('soak', () => {
  const labs: SoakLab[] = [];
  const tally = new Tally(SOAK_FAULTS);
  const numbers =
    ONLY_NUMBER === undefined ? Array.from({ length: LABS }, (_, at) => at + 1) : [ONLY_LAB ?? 1];
  const share = Math.ceil(MIGRATIONS / numbers.length);
  let beganAtMs = 0;
  beforeAll(async () => {
    for (const _ of numbers) labs.push(await SoakLab.up());
    bringFakeTime(labs.map(({ lab }) => lab));
    beganAtMs = performance.now();
  });
  afterAll(async () => {
    const file = process.env['CRIU_FLOW_FAULTS_RESULT'];
    const seconds = (performance.now() - beganAtMs) / 1000;
    if (file !== undefined) writeFileSync(file, JSON.stringify(tally.result(SEED, seconds)));
    for (const lab of labs) await lab.down();
  });

  /** @returns whether it counts */
  const migrate = async (lab: SoakLab, number: number, choice: Choice): Promise<boolean> => {
    const { from } = lab;
    const migration = await lab.migrate(choice);
    const { violations, ended } = migration;
    const what = `seed ${SEED} choice ${number}/${choice.number} from ${from}: ${describeMigration(choice, migration)}`;
    process.stdout.write(`${what}\n`);
    // Whatever a fault leaves, the next migration must not suffer from it.
    const isSound = violations.length === 0 && (choice.fault !== nothing || ended === 'moved (0)');
    if (!isSound) {
      // At once: the other labs go on for as long as it takes.
      process.stdout.write(`${what}\n${violations.join('\n')}\n${await lab.diagnosis()}\n`);
      expect.fail(`${what}\n${violations.join('\n')}`);
    }
    return tally.note(choice.fault, migration);
  };

  numbers.forEach((number, index) => {
    test.concurrent(`there and back, seed ${SEED}, lab ${number} of ${LABS}`, async () => {
      const lab = labs[index];
      if (!lab) throw new Error('no lab');
      await lab.begin();
      const sequence =
        ONLY_NUMBER === undefined
          ? choices(SEED, number, SOAK_FAULTS)
          : again(SEED, number, SOAK_FAULTS, ONLY_NUMBER);
      let done = 0;
      for (let tries = 0; done < share && tries < share * MOST_TRIES; tries++) {
        if (await migrate(lab, number, sequence.next().value)) done += 1;
      }
    });
  });

  test.skipIf(ONLY_NUMBER !== undefined)('every fault and every phase was hit often enough', () => {
    expect(tally.tooSeldom(MIGRATIONS)).toEqual([]);
  });
});

function describeMigration({ fault, transfer, phase: aim }: Choice, migration: Migration): string {
  const { phase, killed, ended, durationMs } = migration;
  const then = killed.length > 0 ? `, then SIGKILL in ${killed.join(' and ')}` : '';
  const where = phase ?? `${aim}, which missed`;
  return `${fault.title} in ${where} of ${transfer}${then}: ${ended}, ${(durationMs / 1000).toFixed(1)} s`;
}
