// Sets the machine up, runs the tests and ends with one line of true numbers. Arguments go to vitest, for example a
// part of a file name, or `--project recovery`; without any, the unit tests and those on labs but for the recovery.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { setUp, setUpMachines } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Of what a failed test said. */
const MOST_LINES = 15;

const isCi = process.env['CI'] === 'true';
const labMissing = await setUp({ forTests: true });
if (labMissing !== undefined) console.log(`Lab tests are skipped. ${labMissing}`);

const own = process.argv.slice(2);
const machinesMissing = own.includes('vm') ? (labMissing ?? (await setUpMachines())) : undefined;
if (machinesMissing !== undefined) console.log(`Tests on virtual machines are skipped. ${machinesMissing}`);

const chosen = own.length > 0 ? own : ['--project', 'unit', '--project', 'lab'];
const directory = mkdtempSync(join(tmpdir(), 'criu-flow-test-'));
const report = join(directory, 'report.json');
const vitest = spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...chosen,
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      ...(labMissing === undefined ? {} : { CRIU_FLOW_LAB_MISSING: labMissing }),
      ...(machinesMissing === undefined ? {} : { CRIU_FLOW_MACHINES_MISSING: machinesMissing }),
    },
  },
);
let counts = { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, testResults: [] };
try {
  counts = JSON.parse(readFileSync(report, 'utf8'));
} catch {
  console.error('vitest left no report');
} finally {
  rmSync(directory, { recursive: true, force: true });
}
// A file that fails before its first test counts as one failure.
const brokenFiles = counts.testResults.filter(
  (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
).length;
const failed = counts.numFailedTests + brokenFiles;
// In lines of their own at the end: who has only the end of what was printed must know what to look for.
for (const file of counts.testResults) {
  for (const { status, fullName, failureMessages } of file.assertionResults) {
    if (status !== 'failed') continue;
    console.log(`failed: ${relative(root, file.name)}: ${fullName}`);
    const lines = stripVTControlCharacters(failureMessages.join('\n'))
      .split('\n')
      .filter((line) => !line.includes('/node_modules/'));
    for (const line of lines.slice(0, MOST_LINES)) console.log(`failed:   ${line}`);
  }
}
const skipped = counts.numPendingTests + (counts.numTodoTests ?? 0);
if (isCi && skipped > 0) console.log('CI=true: a skipped test is a failure');
console.log(`${counts.numPassedTests} passed, ${failed} failed, ${skipped} skipped`);
const isGood = vitest.status === 0 && failed === 0 && counts.numPassedTests > 0 && !(isCi && skipped > 0);
process.exitCode = isGood ? 0 : 1;
