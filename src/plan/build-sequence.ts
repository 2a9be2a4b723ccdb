import { type Finding, type RunRecipe, toDiagnostics } from '../recipe/finding.ts';
import { hostsOf } from '../recipe/inventory-findings.ts';
import type { Inventory } from '../recipe/inventory.ts';
import type { Path } from '../recipe/path.ts';
import { code } from '../recipe/printable.ts';
import { RecipeError } from '../recipe/recipe-error.ts';
import type { SequenceRun } from '../recipe/recipe.generated.ts';
import type { CheckedSequence } from '../recipe/run-inventories.ts';
import { buildPlan } from './build-plan.ts';
import { withItem } from './build-steps.ts';
import { digestOf } from './digest.ts';
import type { ResolvedInputs } from './inputs.ts';
import type { SequencePlan, SequencePlanRun } from './plan.ts';
import { RecipeRenderer } from './render-recipe.ts';
import { resolveGiven } from './used-inputs.ts';

/** A run of a plan, and where the recipe has it. */
interface Placed extends SequencePlanRun {
  readonly path: Path;
}

/**
 * Turns a sequence and its inputs into the plans of its runs. Pure: the same sequence and inputs give the same plan and digest.
 * @param inventory of the sequence
 * @throws RecipeError when a run cannot be planned, two runs cannot both be done, or none is left
 */
export function buildSequence(
  sequence: CheckedSequence,
  inputs: ResolvedInputs,
  inventory?: Inventory,
): SequencePlan {
  const renderer = new RecipeRenderer(sequence.data, inputs);
  const builder = new SequenceBuilder(sequence, renderer, inventory);
  const placed = sequence.data.runs.flatMap((run, index) => builder.build(run, ['runs', index]));
  refuse(sequence, renderer.findings.length > 0 ? renderer.findings : contradictions(placed));
  const plan: Omit<SequencePlan, 'digest'> = {
    version: 1,
    kind: 'sequence',
    name: sequence.data.name,
    file: sequence.source.name,
    runs: placed.map(({ title, plan: own }) => ({ title, plan: own })),
  };
  return { ...plan, digest: digestOf(plan) };
}

class SequenceBuilder {
  readonly #sequence: CheckedSequence;
  readonly #renderer: RecipeRenderer;
  readonly #inventory: Inventory | undefined;

  constructor(sequence: CheckedSequence, renderer: RecipeRenderer, inventory: Inventory | undefined) {
    this.#sequence = sequence;
    this.#renderer = renderer;
    this.#inventory = inventory;
  }

  /** A run, once for each item of its `forEach`. */
  build(run: SequenceRun, path: Path): readonly Placed[] {
    const recipe = this.#sequence.recipes.get(run);
    if (!recipe) throw new Error('a recipe that is run was not loaded');
    if (run.forEach === undefined) return this.#plan(run, path, recipe, undefined);
    const items = this.#renderer.render(run.forEach, [...path, 'forEach']);
    // Not a list: then there is a finding, and no plan.
    if (!Array.isArray(items)) return [];
    return items.flatMap((item) => this.#plan(run, path, recipe, String(item)));
  }

  #plan(run: SequenceRun, path: Path, recipe: RunRecipe, item: string | undefined): readonly Placed[] {
    if (this.#renderer.render(run.if ?? true, [...path, 'if'], item) === false) return [];
    const inventory = this.#sequence.inventories.get(recipe);
    const given = resolveGiven(
      this.#renderer,
      recipe,
      run.inputs ?? {},
      [...path, 'inputs'],
      item,
      inventory,
    );
    this.#checkGroups(recipe, given, path, inventory ?? this.#inventory);
    // What is wrong with an input is told of by the sequence, which gives it.
    if (this.#renderer.findings.length > 0) return [];
    const title = withItem(run.name ?? recipe.data.name, item);
    return [{ title, plan: buildPlan(recipe, given, inventory), path }];
  }

  /** A host that is handed on is known by what ssh(1) is given, and must be in the group that the recipe wants it in all the same. */
  #checkGroups(
    recipe: RunRecipe,
    { values }: ResolvedInputs,
    path: Path,
    inventory: Inventory | undefined,
  ): void {
    for (const [name, { group }] of Object.entries(recipe.data.inputs ?? {})) {
      if (group === undefined) continue;
      const members = inventory ? hostsOf(group, inventory) : [];
      const known = members.map((host) => inventory?.hosts.get(host)?.ssh);
      for (const host of [values.get(name) ?? []].flat().map(String)) {
        if (known.includes(host)) continue;
        const where = inventory ? `of ${inventory.file}` : 'of an inventory, and there is none';
        this.#renderer.refuse(
          [...path, 'inputs', name],
          {
            message: `The input ${code(name)} takes hosts of the group ${code(group)} ${where}; ${code(host)} is none of them`,
          },
          'inventory',
        );
      }
    }
  }
}

/** What moves away cannot be moved, or kept, from the same place again. */
function contradictions(runs: readonly Placed[]): readonly Finding[] {
  if (runs.length === 0) {
    const message = 'Nothing is left to run with these inputs';
    const hint = 'Each list of a `forEach` is empty, or each `if` is false.';
    return [{ path: ['runs'], at: 'key', code: 'input', message, hint }];
  }
  const movedBy = new Map<string, number>();
  return runs.flatMap(({ path, plan: { kind, source, workload } }, index): Finding[] => {
    const key = JSON.stringify([source, workload]);
    const earlier = movedBy.get(key);
    if (kind === 'move' && earlier === undefined) movedBy.set(key, index + 1);
    if (kind === 'restore' || earlier === undefined) return [];
    const message = `Run ${index + 1} is of the workload that run ${earlier} moves away from ${source}`;
    return [{ path, at: 'key', code: 'input', message, hint: 'Name it once.' }];
  });
}

function refuse(sequence: CheckedSequence, findings: readonly Finding[]): void {
  const [first, ...others] = toDiagnostics(sequence, findings);
  if (first) throw new RecipeError('INPUT_INVALID', [first, ...others]);
}
