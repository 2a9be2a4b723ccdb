import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { complete } from '../../../src/cli/completion/complete.ts';
import { SOURCES } from '../../../src/cli/completion/sources.ts';
import { createProgram } from '../../../src/cli/program.ts';

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
  [['run', '--reporter', 'plain', 'pro'], ['process-rsync']],
  [['run', '--keep-images', 'pro'], ['process-rsync']],
  [['run', '-i', 'pid=1', 'pro'], ['process-rsync']],
  [['run', 'process-rsync', 'pro'], []],
  [['run', '--', '--'], []],
  [['validate', 'a.yaml', 'b.yaml', 'pro'], ['process-rsync']],
  [
    ['recipes', 'show', ''],
    [
      'checkpoint-and-keep-running',
      'evacuate',
      'process-rsync',
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
