import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve, sep } from 'node:path';
import { code } from './printable.ts';
import { bundledNames, bundledPath } from './read-recipe.ts';
import { didYouMean } from './suggest.ts';
import type { ValueProblem } from './values.ts';

/** Where another recipe is that a recipe names, or why it is nowhere. */
export type Reference = { readonly path: string } | { readonly problem: ValueProblem };

/**
 * Finds the recipe that another one names: `./file.yaml` from the directory of that one, the name of a bundled recipe, or
 * `npm:PACKAGE/FILE` where Node.js would look for the package.
 * @param from the path of the recipe that names it
 * @see https://nodejs.org/api/modules.html#loading-from-node_modules-folders
 */
export async function findReference(reference: string, from: string): Promise<Reference> {
  if (reference.startsWith('npm:')) return inPackage(reference.slice('npm:'.length), from);
  if (reference.includes('/') || /\.ya?ml$/.test(reference)) {
    const path = resolve(dirname(from), reference);
    if (isFile(path)) return { path };
    const hint = 'It is looked for from the directory of the recipe that names it.';
    return { problem: { message: `There is no recipe ${code(reference)}`, hint } };
  }
  const path = bundledPath(reference);
  if (isFile(path)) return { path };
  const hint = didYouMean(reference, await bundledNames(), 'bundled recipes');
  return {
    problem: {
      message: `There is no bundled recipe ${code(reference)}`,
      hint: `${hint} A file has a slash: ./${reference}.yaml`,
    },
  };
}

/** `@team/recipes/notify.yaml`: a package's name is one part, or two with a scope. */
function inPackage(reference: string, from: string): Reference {
  const [, name, file] = /^((?:@[\w.~-]+\/)?[\w.~-]+)\/(.+)$/.exec(reference) ?? [];
  if (name === undefined || file === undefined || name.split('/').some((part) => /^\.+$/.test(part))) {
    const hint = 'Write `npm:PACKAGE/FILE`, for example `npm:@team/recipes/notify.yaml`.';
    return { problem: { message: `${code(`npm:${reference}`)} names no file of a package`, hint } };
  }
  for (const directory of createRequire(from).resolve.paths(name) ?? []) {
    const root = join(directory, name);
    const path = resolve(root, file);
    // What is outside of the package is none of its recipes.
    if (path.startsWith(root + sep) && isFile(path)) return { path };
  }
  const hint = `Install it where the recipe is: npm install ${name}`;
  return { problem: { message: `No package ${code(name)} with the file ${code(file)} is installed`, hint } };
}

/** A name that is too long, or holds a NUL, is nobody's. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
