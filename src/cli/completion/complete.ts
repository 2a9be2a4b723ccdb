import type { Command, Option } from 'commander';
import { type Files, type Source, SOURCES } from './sources.ts';

export interface Candidate {
  readonly value: string;
  readonly description: string;
}

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
  const { command, option, position, isAfterDashes } = readWords(program, words.slice(0, -1));
  if (option) return valuesOf(sourceOfOption(command, option), word);
  const [, name = '', part = ''] = /^(--[^=]+)=(.*)$/.exec(word) ?? [];
  const assigned = isAfterDashes ? undefined : findOption(command, name);
  if (assigned) {
    const { files, candidates } = await valuesOf(sourceOfOption(command, assigned), part);
    return { files, candidates: candidates.map((each) => ({ ...each, value: `${name}=${each.value}` })) };
  }
  if (word.startsWith('-') && !isAfterDashes) return startingWith(word, optionsOf(command));
  const names = isAfterDashes || position > 0 ? [] : commandsOf(command);
  if (names.length > 0) return startingWith(word, names);
  return valuesOf(sourceOfArgument(command, position), word);
}

interface Reading {
  /** The command that the words name. */
  readonly command: Command;
  /** The option whose value comes next. */
  readonly option: Option | undefined;
  /** How many arguments the command has already. */
  readonly position: number;
  /** After `--` nothing is an option. */
  readonly isAfterDashes: boolean;
}

function readWords(program: Command, words: readonly string[]): Reading {
  let command = program;
  let option: Option | undefined;
  let position = 0;
  let isAfterDashes = false;
  for (const word of words) {
    if (option) {
      option = undefined;
    } else if (isAfterDashes) {
      position += 1;
    } else if (word === '--') {
      isAfterDashes = true;
    } else if (word.startsWith('-')) {
      option = findOption(command, word);
      if (option?.required !== true) option = undefined;
    } else {
      const child = command.commands.find((each) => each.name() === word);
      if (child && position === 0) command = child;
      else position += 1;
    }
  }
  return { command, option, position, isAfterDashes };
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

async function valuesOf({ words, files = 'none' }: Source, word: string): Promise<Completion> {
  const values = (await words?.()) ?? [];
  const candidates = values.map((value) => ({ value, description: '' }));
  return { files, candidates: startingWith(word, candidates).candidates };
}

function startingWith(word: string, candidates: readonly Candidate[]): Completion {
  return { files: 'none', candidates: candidates.filter(({ value }) => value.startsWith(word)) };
}
