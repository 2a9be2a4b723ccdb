import { existsSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import { SshHost } from '../../src/host/ssh.ts';
import { loadPlan } from '../../src/plan/load-plan.ts';
import { runCommand } from '../../src/steps/command.ts';
import { sshdSkipReason, startSshd, type TestSshd } from '../helpers/sshd.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

/** Prints its arguments, a variable and its standard input, each with a NUL at the end. */
const PRINT = `for each; do printf '%s\\0' "$each"; done; printf '%s\\0' "$VALUE"; cat`;

const RECIPE = `version: 1
name: Hostile values
inputs:
  value: { type: string }
  list: { type: list }
hosts: { source: local, destination: lab }
workload: { process: { pid: 1 } }
steps:
  - uses: command
    readOnly: true
    with:
      on: destination
      argv: [sh, -c, ${JSON.stringify(PRINT)}, sh, '{{ inputs.value }}', '-{{ inputs.value }}"', '{{ inputs.list }}']
      env: { VALUE: '{{ inputs.value }}' }
      stdin: '{{ inputs.value }}'
  - uses: preflight
  - uses: dump
  - uses: transfer/rsync
  - uses: restore
`;

describe.skipIf(sshdSkipReason !== undefined)(
  `values of inputs${sshdSkipReason === undefined ? '' : ` (skipped: ${sshdSkipReason})`}`,
  () => {
    let sshd: TestSshd;
    let host: SshHost;
    let directory: TemporaryDirectory;
    beforeAll(async () => {
      directory = temporaryDirectory();
      writeFileSync(directory.at('r.yaml'), RECIPE);
      sshd = await startSshd();
      host = await SshHost.connect({
        destination: 'lab',
        sshConfigFile: sshd.configFile,
        controlDirectory: sshd.controlDirectory,
        connectTimeoutMs: 5000,
      });
    });
    afterAll(async () => {
      await host?.close();
      await sshd?.close();
      directory[Symbol.dispose]();
    });

    /** What a command on the other side of ssh gets of a value and a list. */
    const arrived = async (value: string, list: readonly string[]): Promise<readonly string[]> => {
      const inputs = [`value=${value}`, ...list.map((each) => `list=${each}`)];
      const plan = await loadPlan({ recipe: 'r.yaml', inputs, cwd: directory.path });
      const [step] = plan.steps;
      if (step?.uses !== 'command') throw new Error('the recipe begins with a command');
      const local = new LocalHost();
      const place = { source: local, destination: host, local, values: () => ({ inputs: new Map() }) };
      return (await runCommand(place, step)).stdout.split('\0');
    };

    const hard = [
      ...['', ' ', '-rf', '--', "'", '"', '\\', '`touch PWNED`', '$(touch PWNED)', '${IFS}', '; touch PWNED'],
      ...[
        '&& touch PWNED',
        '| touch PWNED',
        '> PWNED',
        '\n',
        'a\nb\n',
        '\r\n',
        '\t',
        '*',
        '~',
        '!!',
        '#',
        '%s',
      ],
      ...['{{ inputs.list }}', '{% raw %}', '{#', '=', 'a=b', '\u001b[2J', 'é日本😀', '\u{10ffff}', '\u007f'],
    ];
    const value = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !text.includes('\0')),
      fc.array(fc.constantFrom(...hard), { maxLength: 6 }).map((parts) => parts.join('')),
    );

    test('arrive in the remote argv, environment and standard input as they are, and nothing of them is run', async () => {
      const check = async (text: string, list: readonly string[]): Promise<void> => {
        expect(await arrived(text, list)).toEqual([text, `-${text}"`, ...list, text, text]);
      };
      await check(hard.join(''), hard);
      await fc.assert(
        fc.asyncProperty(value, fc.array(value, { minLength: 1, maxLength: 4 }), check),
        // Its seed is in the message of a failure.
        { numRuns: 60 },
      );
      for (const place of ['.', process.env['HOME'] ?? '/root', directory.path])
        expect(existsSync(`${place}/PWNED`)).toBe(false);
    }, 120_000);

    test('with a NUL, which no argument can hold, are refused before anything is run', async () => {
      await expect(arrived('a\0b', ['x'])).rejects.toMatchObject({ code: 'INPUT_INVALID' });
      await expect(arrived('a', ['x\0y'])).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    });
  },
);
