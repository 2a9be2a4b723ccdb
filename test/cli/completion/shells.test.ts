import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type TemporaryDirectory, temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { pathWithCriuFlow, TypingShell } from '../../helpers/typed.ts';

const has = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((directory) => existsSync(join(directory, program)));

const RUN = '20261123-142339-a1b2';

const WITH_MODE = `version: 1
kind: steps
name: Steps
inputs: { mode: { type: enum, values: [fast, careful] } }
steps: [{ uses: command, readOnly: true, with: { on: local, argv: [echo, '{{ inputs.mode }}'] } }]
`;

function prepare(home: TemporaryDirectory): NodeJS.ProcessEnv {
  writeFileSync(home.at('mine.yaml'), WITH_MODE);
  writeFileSync(home.at('my other.yml'), '');
  writeFileSync(home.at('mine.txt'), '');
  mkdirSync(home.at('state', 'criu-flow', 'runs', RUN), { recursive: true });
  mkdirSync(home.at('team'));
  return { XDG_STATE_HOME: home.at('state') };
}

/** A line up to the cursor, and its words when Tab was pressed. */
const single: readonly (readonly [line: string, words: readonly string[]])[] = [
  ['criu-flow val', ['validate']],
  ['criu-flow recipes co', ['recipes', 'copy']],
  ['criu-flow run --rep', ['run', '--reporter']],
  ['criu-flow run --reporter pl', ['run', '--reporter', 'plain']],
  ['criu-flow run --reporter=pl', ['run', '--reporter=plain']],
  ['criu-flow run tcp', ['run', 'tcp-service-rsync']],
  [
    'criu-flow run -i source=root@a -i pid=1 tcp',
    ['run', '-i', 'source=root@a', '-i', 'pid=1', 'tcp-service-rsync'],
  ],
  ['criu-flow validate process-rsync min', ['validate', 'process-rsync', 'mine.yaml']],
  ['criu-flow validate my', ['validate', 'my other.yml']],
  ['criu-flow run --inputs mine.t', ['run', '--inputs', 'mine.txt']],
  ['criu-flow run --inputs=mine.t', ['run', '--inputs=mine.txt']],
  ['criu-flow status 2026', ['status', RUN]],
  ['criu-flow explain hooks', ['explain', 'hooks']],
  ['criu-flow explain HOLD', ['explain', 'HOLD_LOST']],
  ['criu-flow completion f', ['completion', 'fish']],
  ['criu-flow run process-rsync -i des', ['run', 'process-rsync', '-i', 'destination=']],
  ['criu-flow run mine.yaml -i mode=f', ['run', 'mine.yaml', '-i', 'mode=fast']],
];

/** A line up to the cursor, and all that its last word can be. */
const many: readonly (readonly [line: string, words: readonly string[]])[] = [
  ['criu-flow run --reporter ', ['json', 'plain', 'tree']],
  ['criu-flow ru', ['run', 'runs']],
  ['criu-flow recipes ', ['copy', 'list', 'show']],
  [
    'criu-flow recipes show ',
    [
      'checkpoint-and-keep-running',
      'evacuate',
      'process-auto',
      'process-post-copy',
      'process-pre-copy',
      'process-rsync',
      'process-sftp',
      'process-shared',
      'process-stream',
      'restore-from-checkpoint',
      'tcp-service-rsync',
    ],
  ],
];

describe.each(['bash', 'zsh'] as const)('%s, when somebody types', (shell) => {
  test('completes', async ({ skip }) => {
    if (!has(shell)) skip(`${shell} is not installed`);
    using home = temporaryDirectory();
    using terminal = new TypingShell(shell, home, prepare(home));
    for (const [line, words] of single) {
      expect((await terminal.complete(line)).slice(1), line).toEqual(words);
    }
    for (const [line, words] of many) {
      const found = await terminal.complete(line, { all: true });
      expect(found.slice(line.split(' ').length - 1).toSorted(), line).toEqual(words);
    }
    // Recipes, YAML files, and directories that may hold some.
    const recipes = await terminal.complete('criu-flow run ', { all: true });
    const plain = recipes.slice(2).map((word) => word.replace(/\/$/, ''));
    expect(plain).toEqual(expect.arrayContaining(['process-rsync', 'mine.yaml', 'my other.yml', 'team']));
    expect(plain).not.toContain('mine.txt');
  }, 90_000);

  test('does nothing of what is typed', async ({ skip }) => {
    if (!has(shell)) skip(`${shell} is not installed`);
    using home = temporaryDirectory();
    using terminal = new TypingShell(shell, home, prepare(home));
    for (const word of [
      '$(touch done)',
      '`touch done`',
      "'; touch done; '",
      '"$(touch done)',
      '--inputs=$(touch done)',
    ]) {
      await terminal.pressTab(`criu-flow run ${word} `);
      await terminal.pressTab(`criu-flow run ${word}`);
    }
    expect(await terminal.complete('criu-flow val')).toContain('validate');
    expect(existsSync(home.at('done'))).toBe(false);
  }, 90_000);
});

test('fish completes', ({ skip }) => {
  if (!has('fish')) skip('fish is not installed');
  using home = temporaryDirectory();
  const env = prepare(home);
  const lines = [...single, ...many, ['criu-flow run ', []] as const].map(([line]) => line);
  const text = execFileSync(
    'fish',
    [
      '--no-config',
      '-c',
      'criu-flow completion fish | source; for x in $argv; complete -C $x; echo; end',
      ...lines,
    ],
    {
      cwd: home.path,
      encoding: 'utf8',
      env: { ...env, HOME: home.path, PATH: pathWithCriuFlow(home), LC_ALL: 'C.UTF-8' },
    },
  );
  const found = text.split('\n\n').map((block) => block.split('\n').map((line) => line.replace(/\t.*/, '')));
  for (const [index, [line, words]] of single.entries()) expect(found[index], line).toEqual([words.at(-1)]);
  for (const [index, [line, words]] of many.entries()) {
    expect(found[single.length + index]?.toSorted(), line).toEqual(words);
  }
  const recipes = found[lines.length - 1];
  expect(recipes).toEqual(expect.arrayContaining(['process-rsync', 'mine.yaml', 'my other.yml', 'team/']));
  expect(recipes).not.toContain('mine.txt');
}, 90_000);
