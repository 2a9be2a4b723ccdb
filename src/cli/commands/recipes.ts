import { readFile } from 'node:fs/promises';
import { FlowError } from '../../errors/flow-error.ts';
import { checkRecipe } from '../../recipe/check-recipe.ts';
import { code } from '../../recipe/printable.ts';
import { bundledNames, bundledPath } from '../../recipe/read-recipe.ts';
import type { Recipe } from '../../recipe/recipe.generated.ts';
import { didYouMean } from '../../recipe/suggest.ts';
import { createPaint, wantsColor } from '../../report/format.ts';
import { sanitizeLine, toSafeJson } from '../../report/sanitize.ts';
import { recipeArgument, writeNewRecipe } from '../new-recipe-file.ts';

/** `criu-flow recipes list`: the bundled recipes, and what each is for. @returns 0 */
export async function listRecipesCommand(options: { readonly json: boolean }): Promise<number> {
  const recipes = await Promise.all(
    (await bundledNames()).map(async (name) => ({
      name,
      recipe: await readBundled(name),
      purpose: purposeOf(await textOf(name)),
    })),
  );
  if (options.json) {
    const all = recipes.map(({ name, recipe, purpose }) => ({
      name,
      title: recipe.name,
      purpose,
      inputs: recipe.inputs ?? {},
    }));
    process.stdout.write(`${toSafeJson(all)}\n`);
    return 0;
  }
  const paint = createPaint(wantsColor(process.env, process.stdout));
  const blocks = recipes.map(({ name, recipe, purpose }) =>
    [paint('strong', name), `  ${purpose}`, paint('faint', `  ${runOf(name, recipe)}`)].join('\n'),
  );
  process.stdout.write(`${blocks.join('\n\n')}\n\nTo make your own of one: criu-flow recipes copy NAME\n`);
  return 0;
}

/** `criu-flow recipes show`: the text of a bundled recipe. @returns 0 @throws FlowError RECIPE_NOT_FOUND */
export async function showRecipeCommand(name: string): Promise<number> {
  process.stdout.write(await textOf(name));
  return 0;
}

/**
 * `criu-flow recipes copy`: writes a bundled recipe to a file that is not there yet. @returns 0
 * @throws FlowError RECIPE_NOT_FOUND; USAGE when the file is there, or cannot be written
 */
export async function copyRecipeCommand(name: string, file = `${name}.yaml`): Promise<number> {
  const text = await textOf(name);
  // The line that leads an editor to the schema leads from the directory of the bundled recipes.
  const own = text.replace(/^# yaml-language-server: .*\n(?:#\n)?/, '');
  await writeNewRecipe(file, own, ['criu-flow', 'recipes', 'copy', name, './my-recipe.yaml']);
  const argument = recipeArgument(file);
  const lines = [
    `${file} is yours to change. Then check it, and run it:`,
    `  criu-flow validate ${argument}`,
    `  ${runOf(argument, await readBundled(name))}`,
    'An editor completes it with the schema: criu-flow schema --help',
  ];
  process.stdout.write(`${lines.map((line) => lineOf(line)).join('\n')}\n`);
  return 0;
}

/** Spaces before a command are kept. */
function lineOf(line: string): string {
  return `${line.startsWith('  ') ? '  ' : ''}${sanitizeLine(line)}`;
}

async function textOf(name: string): Promise<string> {
  const names = await bundledNames();
  if (!names.includes(name)) {
    throw new FlowError('RECIPE_NOT_FOUND', `There is no bundled recipe ${code(name)}`, {
      hint: didYouMean(name, names, 'bundled recipes'),
    });
  }
  return readFile(bundledPath(name), 'utf8');
}

async function readBundled(name: string): Promise<Pick<Recipe, 'name' | 'inputs'>> {
  const { recipe, sequence } = await checkRecipe(name, process.cwd());
  const { data } = recipe ?? sequence ?? {};
  if (!data) throw new Error(`the bundled recipe ${name} is not valid`);
  return data;
}

/** What the comment at the top of a bundled recipe says after `Purpose`. */
function purposeOf(text: string): string {
  const [, purpose = ''] = /^# Purpose +(.+(?:\n# {3,}\S.*)*)/m.exec(text) ?? [];
  return purpose.replaceAll(/\s*\n#\s*/g, ' ');
}

/** The command that runs it, with room for what it needs. */
function runOf(recipe: string, { inputs = {} }: Pick<Recipe, 'inputs'>): string {
  const needed = Object.entries(inputs).filter(([, input]) => input.default === undefined && !input.from);
  return ['criu-flow run', recipe, ...needed.map(([name]) => `-i ${name}=…`)].join(' ');
}
