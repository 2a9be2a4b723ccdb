import { readdir } from 'node:fs/promises';
import { basename, isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FlowError } from '../errors/flow-error.ts';
import { packageFile } from '../package/package-file.ts';
import type { Diagnostic } from './diagnostic.ts';
import { readSource, whyNotReadable } from './read-source.ts';
import type { SourceFile } from './source-file.ts';
import { suggest } from './suggest.ts';

const bundledDirectory = fileURLToPath(packageFile('recipes'));

/** The text of a recipe. */
export interface ReadRecipe {
  /** Its absolute path. */
  readonly path: string;
  readonly source: SourceFile;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads a recipe: a file when it has a slash or ends with `.yaml`, else a bundled recipe by its name.
 * @throws FlowError RECIPE_NOT_FOUND
 */
export async function readRecipeFile(recipe: string, cwd: string): Promise<ReadRecipe> {
  const isName = !recipe.includes('/') && !/\.ya?ml$/.test(recipe);
  const path = isName ? bundledPath(recipe) : resolve(cwd, recipe);
  const name = isName || isAbsolute(recipe) ? path : relative(cwd, path);
  try {
    return { path, ...(await readSource(path, name, 'recipe')) };
  } catch (error) {
    if (error instanceof FlowError) throw error;
    throw isName ? await noSuchName(recipe) : await notReadable(name, error);
  }
}

/** Where a bundled recipe is, or would be. */
export function bundledPath(name: string): string {
  return join(bundledDirectory, `${name}.yaml`);
}

async function noSuchName(name: string): Promise<FlowError> {
  const names = await bundledNames();
  const meant = suggest(name, names);
  return new FlowError('RECIPE_NOT_FOUND', `There is no bundled recipe ${name}`, {
    hint:
      meant === undefined
        ? `The bundled recipes are ${names.join(', ')}. A file has a slash in its path: ./${name}.`
        : `Did you mean ${meant}?`,
  });
}

/** The names of the bundled recipes. */
export async function bundledNames(): Promise<string[]> {
  const files = await readdir(bundledDirectory);
  return files.filter((file) => file.endsWith('.yaml')).map((file) => basename(file, '.yaml'));
}

async function notReadable(name: string, error: unknown): Promise<FlowError> {
  const bundled = (await bundledNames()).find((each) => each === basename(name, '.yaml'));
  return new FlowError('RECIPE_NOT_FOUND', `The recipe ${name} cannot be read: ${whyNotReadable(error)}`, {
    cause: error,
    ...(bundled === undefined ? {} : { hint: `The bundled recipe runs by its name: ${bundled}` }),
  });
}
