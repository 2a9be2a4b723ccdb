import { Argument, type Command } from 'commander';
import { examples } from './help.ts';

/** With what people learn the language of recipes: explain, schema, recipes. */
export function addLearning(program: Command, done: (exitCode: number) => void): void {
  program
    .command('explain')
    .description('say what a step, an input type, a finding, an error, an exit code or a key of a recipe is')
    .argument('[word]', 'its name; a key also by its path: network.address (default: list all)')
    .option('--json', 'for programs')
    .addHelpText(
      'after',
      examples(
        'criu-flow explain dump',
        'criu-flow explain cidr',
        'criu-flow explain HOLD_LOST',
        'criu-flow explain 7',
        'criu-flow explain command.with.shell',
      ),
    )
    .action(async (word: string | undefined, options: { readonly json?: true }) => {
      const { explainCommand } = await import('./commands/explain.ts');
      done(await explainCommand(word, { json: options.json === true }));
    });

  program
    .command('schema')
    .description('print the JSON schema (draft-07) of recipes or of inventories, for editors and other tools')
    .addArgument(new Argument('[document]', 'of what').choices(['recipe', 'inventory']).default('recipe'))
    .addHelpText('after', SCHEMA_HELP)
    .action(async (document: 'recipe' | 'inventory') => {
      const { schemaCommand } = await import('./commands/schema.ts');
      done(schemaCommand(document));
    });

  const recipes = program
    .command('recipes')
    .description('list the bundled recipes, show one, or make your own of it')
    .helpCommand(false)
    .addHelpText('after', examples('criu-flow recipes list', 'criu-flow recipes copy process-rsync'));

  recipes
    .command('list')
    .description('list the bundled recipes, and what each is for')
    .option('--json', 'for programs')
    .addHelpText(
      'after',
      examples('criu-flow recipes list', "criu-flow recipes list --json | jq -r '.[].name'"),
    )
    .action(async (options: { readonly json?: true }) => {
      const { listRecipesCommand } = await import('./commands/recipes.ts');
      done(await listRecipesCommand({ json: options.json === true }));
    });

  recipes
    .command('show')
    .description('print a bundled recipe')
    .argument('<recipe>', 'its name')
    .addHelpText('after', examples('criu-flow recipes show process-rsync'))
    .action(async (name: string) => {
      const { showRecipeCommand } = await import('./commands/recipes.ts');
      done(await showRecipeCommand(name));
    });

  recipes
    .command('copy')
    .description('write a bundled recipe to a file, to make your own of it')
    .argument('<recipe>', 'its name')
    .argument('[file]', 'one that is not there yet (default: NAME.yaml, here)')
    .addHelpText(
      'after',
      examples(
        'criu-flow recipes copy process-rsync',
        'criu-flow recipes copy process-rsync move-video.yaml',
      ),
    )
    .action(async (name: string, file: string | undefined) => {
      const { copyRecipeCommand } = await import('./commands/recipes.ts');
      done(await copyRecipeCommand(name, file));
    });
}

const SCHEMA_HELP = `
Examples:
  criu-flow schema > recipe.schema.json
  criu-flow schema inventory > inventory.schema.json

An editor with the YAML language server (VS Code, Vim, Emacs and others) completes and checks a recipe that has the
path of that file in its first line:
  # yaml-language-server: $schema=./recipe.schema.json`;
