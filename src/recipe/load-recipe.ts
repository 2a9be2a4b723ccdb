import { dirname, isAbsolute, relative, resolve } from 'node:path';
import type { Diagnostic } from './diagnostic.ts';
import { layOver } from './extend.ts';
import {
  type Finding,
  type ParsedRecipe,
  type RecipeRuns,
  type RunRecipe,
  toDiagnostics,
  type UsedRecipe,
  type ValidRecipe,
  type ValidSequence,
} from './finding.ts';
import { parseRecipe } from './parse.ts';
import type { Path } from './path.ts';
import { code } from './printable.ts';
import { type ReadRecipe, readRecipeFile } from './read-recipe.ts';
import { readSource } from './read-source.ts';
import { findReference } from './reference.ts';
import { schemaFindings, toValid } from './schema-findings.ts';
import { walkSteps } from './walk-steps.ts';

/** Files that lead from one to the next by `extends` or `recipe`: what is deeper, nobody reads at night. */
const MAX_DEPTH = 5;

/** Recipes that are used in one, each as often as it is: a recipe that uses others twice, which do so too, has no end. */
const MAX_USED = 200;

/** A recipe with all that it extends and uses, as far as each of them fits the schema. */
export type LoadedRecipe =
  | { readonly diagnostics: readonly [Diagnostic, ...Diagnostic[]] }
  | {
      readonly diagnostics: readonly [];
      readonly recipe: ValidRecipe<RecipeData>;
      /** The same, when it can run by itself. */
      readonly whole?: ValidRecipe;
      /** The same, when it runs others. */
      readonly sequence?: ValidSequence;
      /** The path of the inventory that it names. */
      readonly inventoryPath?: string;
    };

type RecipeData = UsedRecipe['data'];

/** A recipe with what it extends. */
interface ReadWhole extends ParsedRecipe {
  /** The nearest counts, as of every key, and its path is from the file that names it. */
  readonly inventoryPath?: string | undefined;
}

/**
 * Reads a recipe, what it extends, and the recipes that its steps use.
 * @throws FlowError RECIPE_NOT_FOUND for the recipe itself; that another one is not there is a diagnostic
 */
export async function loadRecipe(recipe: string, cwd: string): Promise<LoadedRecipe> {
  const loader = new RecipeLoader(cwd);
  try {
    return await loader.load(await readRecipeFile(recipe, cwd));
  } catch (error) {
    if (error instanceof Refused) return { diagnostics: error.diagnostics };
    throw error;
  }
}

/** The first mistake ends the reading: what follows would mostly be its echo. */
class Refused extends Error {
  readonly diagnostics: readonly [Diagnostic, ...Diagnostic[]];

  constructor(diagnostics: readonly [Diagnostic, ...Diagnostic[]]) {
    super('a recipe cannot be read');
    this.diagnostics = diagnostics;
  }
}

function refuse(diagnostics: readonly Diagnostic[]): void {
  const [first, ...others] = diagnostics;
  if (first) throw new Refused([first, ...others]);
}

class RecipeLoader {
  readonly #cwd: string;
  /** By path: most recipes that are used are used more than once. */
  readonly #parts = new Map<string, ReadWhole>();
  #used = 0;

  constructor(cwd: string) {
    this.#cwd = cwd;
  }

  async load(read: ReadRecipe): Promise<LoadedRecipe> {
    const parsed = await this.#read(read, [read.path]);
    const { whole, sequence, steps } = toValid(parsed);
    const used = await this.#loadUsed(parsed, steps, [read.path]);
    const recipe = { ...parsed, data: steps, used };
    const { inventoryPath } = parsed;
    const recipes = sequence && (await this.#loadRuns(parsed, sequence, [read.path]));
    return {
      diagnostics: [],
      recipe,
      ...(whole ? { whole: { ...recipe, data: whole } } : {}),
      ...(sequence && recipes ? { sequence: { ...recipe, data: sequence, recipes } } : {}),
      ...(inventoryPath === undefined ? {} : { inventoryPath }),
    };
  }

  /** Reads a recipe with what it extends. */
  async #read(
    { path, source, diagnostics: unreadable }: ReadRecipe,
    chain: readonly string[],
  ): Promise<ReadWhole> {
    refuse(unreadable);
    const { parsed: own, diagnostics } = parseRecipe(source);
    refuse(diagnostics);
    if (!own) throw new Error('a recipe without a mistake could not be read');
    if (isInventory(own.data)) {
      const at = { recipe: own, path: ['hosts'] };
      throw refused(at, 'This is an inventory, not a recipe', IN_A_RECIPE, 'key');
    }
    const parsed = await this.#extend(own, path, chain);
    refuse(toDiagnostics(parsed, schemaFindings(parsed)));
    return parsed;
  }

  async #extend(own: ParsedRecipe, path: string, chain: readonly string[]): Promise<ReadWhole> {
    const data = own.data as {
      readonly extends?: unknown;
      readonly kind?: unknown;
      readonly inventory?: unknown;
    } | null;
    const reference = data?.extends;
    // Anything else is for the schema to refuse.
    if (data?.kind === 'steps') return own;
    const inventoryPath =
      typeof data?.inventory === 'string' ? resolve(dirname(path), data.inventory) : undefined;
    if (typeof reference !== 'string') return { ...own, inventoryPath };
    const at = { recipe: own, path: ['extends'] };
    const basePath = await this.#follow(reference, path, chain, at);
    const { source, diagnostics: unreadable } = await this.#readText(basePath, reference, at);
    refuse(unreadable);
    const { parsed: base, diagnostics } = parseRecipe(source);
    refuse(diagnostics);
    if (!base || typeof base.data !== 'object' || base.data === null || Array.isArray(base.data))
      throw refused(at, `${code(reference)} is no recipe`, 'A recipe begins with `version: 1`.');
    if (Object(base.data).kind === 'steps')
      throw refused(at, `${code(reference)} is of \`kind: steps\``, USE_IT);
    const whole = await this.#extend(base, basePath, [...chain, basePath]);
    return { ...layOver(own, whole), inventoryPath: inventoryPath ?? whole.inventoryPath };
  }

  async #loadUsed(
    recipe: Pick<ParsedRecipe, 'source' | 'locations'>,
    data: RecipeData,
    chain: readonly string[],
  ): Promise<ReadonlyMap<object, UsedRecipe>> {
    const used = new Map<object, UsedRecipe>();
    for (const { step, path } of walkSteps(data)) {
      if (step.uses !== 'recipe') continue;
      used.set(step, await this.#use(step.with.recipe, { recipe, path: [...path, 'with', 'recipe'] }, chain));
    }
    return used;
  }

  async #use(reference: string, at: UsedRecipe['usedBy'], chain: readonly string[]): Promise<UsedRecipe> {
    const { part, inner } = await this.#readUsed(reference, at, chain);
    const { whole, sequence, steps } = toValid(part);
    if (whole)
      throw refused(at, `${code(reference)} is a whole move, and has a commit point of its own`, ITS_KIND);
    if (sequence) throw refused(at, `${code(reference)} is a sequence of whole recipes`, ITS_KIND);
    const used = await this.#loadUsed(part, steps, inner);
    return { ...part, data: steps, used, usedBy: at };
  }

  async #loadRuns(
    recipe: UsedRecipe['usedBy']['recipe'],
    { runs }: RecipeRuns,
    chain: readonly string[],
  ): Promise<ReadonlyMap<object, RunRecipe>> {
    const recipes = new Map<object, RunRecipe>();
    for (const [index, run] of runs.entries()) {
      const at = { recipe, path: ['runs', index, 'recipe'] };
      const { part, inner } = await this.#readUsed(run.recipe, at, chain);
      const { whole, sequence } = toValid(part);
      if (sequence)
        throw refused(at, `${code(run.recipe)} is a sequence itself`, 'Name its runs here instead.');
      if (!whole) throw refused(at, `${code(run.recipe)} has steps for other recipes, and cannot run`, WHOLE);
      const used = await this.#loadUsed(part, whole, inner);
      recipes.set(run, { ...part, data: whole, used, usedBy: at });
    }
    return recipes;
  }

  /** Another recipe as it is, and the files that have led to it, its own at last. */
  async #readUsed(
    reference: string,
    at: UsedRecipe['usedBy'],
    chain: readonly string[],
  ): Promise<{ readonly part: ReadWhole; readonly inner: readonly string[] }> {
    this.#used += 1;
    if (this.#used > MAX_USED)
      throw refused(at, `This recipe uses more than ${MAX_USED} others`, 'Put what they share into one.');
    const from = chain.at(-1) ?? '';
    const path = await this.#follow(reference, from, chain, at);
    const inner = [...chain, path];
    const part =
      this.#parts.get(path) ?? (await this.#read(await this.#readText(path, reference, at), inner));
    this.#parts.set(path, part);
    return { part, inner };
  }

  /** The path of the file that a recipe names, unless it leads in a circle. */
  async #follow(
    reference: string,
    from: string,
    chain: readonly string[],
    at: UsedRecipe['usedBy'],
  ): Promise<string> {
    const found = await findReference(reference, from);
    if ('problem' in found) throw refused(at, found.problem.message, found.problem.hint);
    const { path } = found;
    if (chain.includes(path)) {
      const circle = [...chain.slice(chain.indexOf(path)), path].map((each) => this.#nameOf(each));
      throw refused(at, `${code(reference)} leads back to itself`, circle.join(' → '));
    }
    if (chain.length > MAX_DEPTH)
      throw refused(at, `Recipes lead at most ${MAX_DEPTH} files deep`, 'Put what they share into one.');
    return path;
  }

  async #readText(path: string, reference: string, at: UsedRecipe['usedBy']): Promise<ReadRecipe> {
    try {
      return { path, ...(await readSource(path, this.#nameOf(path), 'recipe')) };
    } catch (error) {
      throw refused(at, `${code(reference)} cannot be read`, error instanceof Error ? error.message : '');
    }
  }

  #nameOf(path: string): string {
    return nameOf(path, this.#cwd);
  }
}

/** Of what a recipe has, hosts alone. */
function isInventory(data: unknown): boolean {
  const has = (key: string): boolean => Object.hasOwn(Object(data), key);
  return has('hosts') && !['name', 'steps', 'workload', 'extends', 'kind'].some(has);
}

/** A file as messages call it. */
export function nameOf(path: string, cwd: string): string {
  const name = relative(cwd, path);
  return name.startsWith('..') || isAbsolute(name) ? path : name;
}

const IN_A_RECIPE = 'It is checked with a recipe that names it: `inventory: ./hosts.yaml`.';
const USE_IT = 'Use it in a step: `- uses: recipe`, `with: { recipe: … }`.';
const WHOLE = 'A run needs a whole recipe: a move, a `checkpoint` or a `restore`.';
const ITS_KIND = 'A recipe that others use has `kind: steps`, and no `hosts` and `workload`.';

function refused(
  { recipe, path }: { readonly recipe: UsedRecipe['usedBy']['recipe']; readonly path: Path },
  message: string,
  hint: string | undefined,
  at: Finding['at'] = 'value',
): Refused {
  const finding: Finding = { path, at, code: 'recipe', message, hint };
  const [first, ...others] = toDiagnostics(recipe, [finding]);
  if (!first) throw new Error('a finding has a diagnostic');
  return new Refused([first, ...others]);
}
