import type { Candidate, Line } from './line.ts';
import { recipeInputs } from './recipe-inputs.ts';

/** Files that a shell offers besides, since it knows best how to name them. */
export type Files = 'none' | 'any' | 'yaml';

/** Where the values of an argument, or of an option, come from. */
export interface Source {
  readonly words?: () => readonly string[] | Promise<readonly string[]>;
  /** The same, where they depend on what stands on the line, or have descriptions. */
  readonly candidates?: (line: Line) => Promise<readonly Candidate[]>;
  readonly files?: Files;
}

/** Only a person knows. */
const FREE: Source = {};

/**
 * By the name that an argument, or the value of an option, has in the help of a command; with the command before it where the
 * name means something else there.
 */
export const SOURCES: Readonly<Record<string, Source>> = {
  recipe: { words: bundledRecipes, files: 'yaml' },
  'show recipe': { words: bundledRecipes },
  'copy recipe': { words: bundledRecipes },
  run: { words: runs },
  name: { words: labs },
  word: { words: topics },
  file: { files: 'any' },
  argv: { files: 'any' },
  host: FREE,
  'name=value': { candidates: recipeInputs },
  names: FREE,
  mbit: FREE,
  'host=model': FREE,
  'host=debian': FREE,
  number: FREE,
  age: FREE,
  text: FREE,
};

async function bundledRecipes(): Promise<readonly string[]> {
  const { bundledNames } = await import('../../recipe/read-recipe.ts');
  return bundledNames();
}

async function runs(): Promise<readonly string[]> {
  const { runIds } = await import('../../store/list-runs.ts');
  // What is no id of a run could be something else to a shell.
  return runIds().filter((id) => /^[\w.-]+$/.test(id));
}

async function labs(): Promise<readonly string[]> {
  const { listLabs } = await import('../../lab/lab.ts');
  return listLabs();
}

async function topics(): Promise<readonly string[]> {
  const { topics: all } = await import('../../explain/explain.ts');
  return [...new Set(all().flatMap(({ words }) => words.map(({ name }) => name)))];
}
