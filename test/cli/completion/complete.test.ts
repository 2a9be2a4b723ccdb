import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { complete } from '../../../src/cli/completion/complete.ts';
import { SOURCES } from '../../../src/cli/completion/sources.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';

const program = createProgram(() => {});
const values = async (...words: string[]): Promise<string[]> =>
  (await complete(program, words)).candidates.map(({ value }) => value);

/** Every command that somebody may type, with the words that lead to it. */
function commandsBelow(
  command: Command,
  path: readonly string[] = [],
): [path: readonly string[], command: Command][] {
  const below = command.createHelp().visibleCommands(command);
  return [[path, command], ...below.flatMap((child) => commandsBelow(child, [...path, child.name()]))];
}

const commands = commandsBelow(program);

describe.each(commands)('criu-flow %j', (path, command) => {
  test('has its commands and its options offered, each with words', async () => {
    const below = command.createHelp().visibleCommands(command);
    if (below.length > 0) expect(await values(...path, '')).toEqual(below.map((child) => child.name()));
    const { candidates } = await complete(program, [...path, '-']);
    const long = command.options.map((option) => option.long);
    expect(candidates.map(({ value }) => value)).toEqual(expect.arrayContaining([...long, '--help', '-h']));
    expect(candidates.filter(({ description }) => description === '')).toEqual([]);
  });

  test('has an entry for each argument, and each value of an option, that it names', () => {
    const names = [
      ...command.registeredArguments.map((argument) => (argument.argChoices ? [] : argument.name())),
      ...command.options.map(({ flags, argChoices }) =>
        argChoices ? [] : (/[<[](.+)[>\]]/.exec(flags)?.[1] ?? []),
      ),
    ].flat();
    expect(names.filter((name) => !Object.hasOwn(SOURCES, name))).toEqual([]);
  });
});

test('no entry is left over', () => {
  const text = commands
    .flatMap(([, command]) => [
      ...command.registeredArguments.flatMap((argument) => [
        argument.name(),
        `${command.name()} ${argument.name()}`,
      ]),
      ...command.options.map(({ flags }) => /[<[](.+)[>\]]/.exec(flags)?.[1]),
    ])
    .filter((name) => name !== undefined);
  expect(Object.keys(SOURCES).filter((name) => !text.includes(name))).toEqual([]);
});

test.each([
  [['va'], ['validate']],
  [['complet'], ['completion']],
  [
    ['run', 'x', '--reporter', ''],
    ['tree', 'plain', 'json'],
  ],
  [['run', '--reporter=p'], ['--reporter=plain']],
  [['run', '--reporter', 'plain', 'process-r'], ['process-rsync']],
  [['run', '--keep-images', 'process-r'], ['process-rsync']],
  [['run', '-i', 'pid=1', 'process-r'], ['process-rsync']],
  [['run', 'process-rsync', 'pro'], []],
  [['run', '--', '--'], []],
  [['validate', 'a.yaml', 'b.yaml', 'process-r'], ['process-rsync']],
  [
    ['recipes', 'show', ''],
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
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  [['explain', 'LOCK'], ['LOCKED']],
  [['nonsense', 'r'], []],
  [['constructor', ''], []],
  [['lab', 'up', '--rate', ''], []],
  [
    ['run', 'process-rsync', '-i', ''],
    ['source=', 'destination=', 'pid='],
  ],
  [['plan', 'process-rsync', '-i', 'pid=1', '--input=source=a', '-i', ''], ['destination=']],
  [['run', 'process-rsync', '--input=des'], ['--input=destination=']],
  [['run', 'process-rsync', '-i', 'source=r'], []],
  [['run', './no-such.yaml', '-i', ''], []],
  [[], ['run']],
])('%j', async (words, expected) => {
  const found = await values(...words);
  expect(words.length === 0 ? found.slice(0, 1) : found).toEqual(expected);
});

test.each([
  [['run', ''], 'yaml'],
  [['validate', 'x', ''], 'yaml'],
  [['run', 'x', '--inputs', ''], 'any'],
  [['run', 'x', '--ssh-config='], 'any'],
  [['recipes', 'copy', 'process-rsync', ''], 'any'],
  [['recipes', 'show', ''], 'none'],
  [['run', '-'], 'none'],
  [[''], 'none'],
])('%j offers files: %s', async (words, files) => {
  expect((await complete(program, words)).files).toBe(files);
});

test('of an input that is begun its values, the hosts of an inventory among them; nothing that a shell would take for more', async () => {
  using directory = temporaryDirectory();
  const [recipe, other] = [directory.at('recipe.yaml'), directory.at('other.yaml')];
  writeFileSync(
    recipe,
    `version: 1
kind: steps
name: Steps
inputs:
  mode: { type: enum, values: [fast, careful, $(reboot), 'a b'] }
  sure: { type: bool }
  to: { type: host, group: video }
  all: { type: list, items: host }
  token: { type: secret, from: { env: TOKEN } }
steps: [{ uses: command, readOnly: true, with: { on: local, argv: [echo, '{{ inputs.mode }}'] } }]
`,
  );
  writeFileSync(other, 'version: 1\nhosts: { a: {}, b: {}, c: {} }\ngroups: { video: { hosts: [b, c] } }\n');
  const given = ['run', recipe, '--inventory', other, '-i'];
  expect(await values(...given, '')).toEqual(['mode=', 'sure=', 'to=', 'all=']);
  expect(await values(...given, 'all=a', '-i', 'al')).toEqual(['all=']);
  expect(await values(...given, 'mode=')).toEqual(['mode=fast', 'mode=careful']);
  expect(await values(...given, 'sure=t')).toEqual(['sure=true']);
  expect(await values(...given, 'to=')).toEqual(['to=b', 'to=c']);
  expect(await values(...given, 'all=')).toEqual(['all=a', 'all=b', 'all=c']);
  expect(await values('run', recipe, '-i', 'to=')).toEqual([]);
  expect(await values('run', recipe, '--inventory', directory.at('none'), '-i', 'to=')).toEqual([]);
});
