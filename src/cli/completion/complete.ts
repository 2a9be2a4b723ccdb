import type { Command, Option } from 'commander';
import type { Candidate, Line } from './line.ts';
import { type Files, type Source, SOURCES } from './sources.ts';

export interface Completion {
  readonly files: Files;
  readonly candidates: readonly Candidate[];
}

/**
 * What the last one of some words can be. It is read from the commands themselves, so that nothing is forgotten when they
 * change.
 * @param words what stands after the name of the program, up to the cursor; the last one may be empty
 */
export async function complete(program: Command, words: readonly string[]): Promise<Completion> {
  const word = words.at(-1) ?? '';
  const { command, option, args, options, isAfterDashes } = readWords(program, words.slice(0, -1));
  const line: Line = { args, options, word };
  if (option) return valuesOf(sourceOfOption(command, option), line);
  const [, name = '', part = ''] = /^(--[^=]+)=(.*)$/.exec(word) ?? [];
  const assigned = isAfterDashes ? undefined : findOption(command, name);
  if (assigned) {
    const { files, candidates } = await valuesOf(sourceOfOption(command, assigned), { ...line, word: part });
    return { files, candidates: candidates.map((each) => ({ ...each, value: `${name}=${each.value}` })) };
  }
  if (word.startsWith('-') && !isAfterDashes) return startingWith(word, optionsOf(command));
  const names = isAfterDashes || args.length > 0 ? [] : commandsOf(command);
  if (names.length > 0) return startingWith(word, names);
  return valuesOf(sourceOfArgument(command, args.length), line);
}

interface Reading {
  /** The command that the words name. */
  readonly command: Command;
  /** The option whose value comes next. */
  readonly option: Option | undefined;
  readonly args: readonly string[];
  readonly options: ReadonlyMap<string, readonly string[]>;
  /** After `--` nothing is an option. */
  readonly isAfterDashes: boolean;
}

function readWords(program: Command, words: readonly string[]): Reading {
  let command = program;
  let option: Option | undefined;
  const args: string[] = [];
  const options = new Map<string, string[]>();
  let isAfterDashes = false;
  const give = ({ long, short }: Option, value: string): void => {
    const name = (long ?? short ?? '').replace(/^-+/, '');
    options.set(name, [...(options.get(name) ?? []), value]);
  };
  for (const word of words) {
    if (option) {
      give(option, word);
      option = undefined;
    } else if (isAfterDashes) {
      args.push(word);
    } else if (word === '--') {
      isAfterDashes = true;
    } else if (word.startsWith('-')) {
      const [, name = word, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
      const found = findOption(command, name);
      if (found && value !== undefined) give(found, value);
      else if (found?.required === true) option = found;
    } else {
      const child = command.commands.find((each) => each.name() === word);
      if (child && args.length === 0) command = child;
      else args.push(word);
    }
  }
  return { command, option, args, options, isAfterDashes };
}

function findOption(command: Command, word: string): Option | undefined {
  return command.options.find(({ long, short }) => word === long || word === short);
}

function commandsOf(command: Command): Candidate[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((each) => ({ value: each.name(), description: each.description() }));
}

function optionsOf(command: Command): Candidate[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long, short, description }) =>
      [long, short].flatMap((value) => (value ? [{ value, description }] : [])),
    );
}

/** What the value of an option is: `<file>` in its flags names it. */
function sourceOfOption(command: Command, { flags, argChoices }: Option): Source {
  if (argChoices) return { words: () => argChoices };
  const name = /<([^>]+)>/.exec(flags)?.[1] ?? '';
  return sourceNamed(command, name);
}

/** What an argument of a command is; the last one may be there many times. */
function sourceOfArgument(command: Command, position: number): Source {
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  const argument = registeredArguments[position] ?? (last?.variadic === true ? last : undefined);
  if (argument?.argChoices) {
    const { argChoices } = argument;
    return { words: () => argChoices };
  }
  return argument ? sourceNamed(command, argument.name()) : {};
}

function sourceNamed(command: Command, name: string): Source {
  return SOURCES[`${command.name()} ${name}`] ?? SOURCES[name] ?? {};
}

async function valuesOf({ words, candidates, files = 'none' }: Source, line: Line): Promise<Completion> {
  const values = (await words?.()) ?? [];
  const found = (await candidates?.(line)) ?? values.map((value) => ({ value, description: '' }));
  return { files, candidates: startingWith(line.word, found).candidates };
}

function startingWith(word: string, candidates: readonly Candidate[]): Completion {
  return { files: 'none', candidates: candidates.filter(({ value }) => value.startsWith(word)) };
}
