import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { exitCodeOfError } from '../../src/cli/exit-codes.ts';
import { exitCodeOf } from '../../src/engine/outcome.ts';
import { ERRORS, EXIT_CODES } from '../../src/errors/catalogue.ts';
import type { ErrorCode } from '../../src/errors/flow-error.ts';

const codes = Object.keys(ERRORS) as ErrorCode[];
const known = new Set(EXIT_CODES.map(({ code }) => code));

/** What a command, and a run that is rolled back, end with when the code alone does not decide. */
const REFUSED = 4;
const ROLLED_BACK = 5;

test.each(codes)('%s has the exit code that criu-flow ends with', (code) => {
  const failure = { code, message: 'x' };
  const { exitCode } = ERRORS[code];
  if (exitCode !== undefined) expect(known).toContain(exitCode);
  const ofCommand = exitCodeOfError(failure);
  const ofRun = exitCodeOf('rolled-back', failure);
  if (ofCommand !== REFUSED) expect(exitCode).toBe(ofCommand);
  if (ofRun !== ROLLED_BACK) expect(exitCode).toBe(ofRun);
});

test('an exit code that neither a command nor a rollback decides is one that only moved, lost or refused runs have', () => {
  const others = codes.filter((code) => {
    const failure = { code, message: 'x' };
    return (
      ERRORS[code].exitCode !== undefined &&
      exitCodeOfError(failure) === REFUSED &&
      exitCodeOf('rolled-back', failure) === ROLLED_BACK
    );
  });
  expect(others.map((code) => [code, ERRORS[code].exitCode])).toEqual([
    ['MEMORY_LOST', exitCodeOf('rollback-incomplete', undefined)],
    ['RELEASE_FAILED', exitCodeOf('rollback-incomplete', undefined)],
    ['OBJECTIVE_MISSED', exitCodeOf('moved-but-missed', undefined)],
    ['JOURNAL_CORRUPT', REFUSED],
    ['RESUME_REFUSED', REFUSED],
    ['LAB_REQUIREMENT_MISSING', REFUSED],
    ['LAB_FAILED', REFUSED],
  ]);
});

test('every text is one line of Markdown', () => {
  const texts = [...Object.values(ERRORS), ...EXIT_CODES].flatMap(({ means, cure }) => [means, cure]);
  expect(texts.filter((text) => text === '' || /[\n|]/.test(text))).toEqual([]);
});

test('nothing but explain loads the catalogue: a run does without', () => {
  const src = fileURLToPath(new URL('../../src', import.meta.url));
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const users = files.filter((file) => /errors\/catalogue\.ts'/.test(readFileSync(`${src}/${file}`, 'utf8')));
  expect(users.filter((file) => !file.startsWith('explain/'))).toEqual([]);
});
