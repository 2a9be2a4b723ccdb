import type { Path } from './path.ts';
import type { AlwaysStep, BlockItem, Recipe, Step } from './recipe.generated.ts';

/** Any entry of a list of steps. */
export type AnyStep = Step | BlockItem | AlwaysStep;

/** A step, and where it stands. */
export interface PlacedStep {
  readonly step: AnyStep;
  readonly path: Path;
  /** The index, in the recipe's `steps`, of the step that it is or is part of; the number of these for the recipe's `always`. */
  readonly top: number;
  /** The blocks that it is part of, the outermost first. */
  readonly blocks: readonly AnyStep[];
}

/** The lists of steps that a block has, in the order in which they run. */
export const BLOCK_LISTS = ['steps', 'rescue', 'always'] as const;

/** Every step of a recipe, those of blocks after their block, in the order in which they stand. */
export function* walkSteps(recipe: Pick<Recipe, 'steps' | 'always'>): Generator<PlacedStep> {
  for (const [top, step] of recipe.steps.entries()) yield* walk(step, ['steps', top], top, []);
  for (const [index, step] of (recipe.always ?? []).entries()) {
    yield { step, path: ['always', index], top: recipe.steps.length, blocks: [] };
  }
}

function* walk(step: AnyStep, path: Path, top: number, blocks: readonly AnyStep[]): Generator<PlacedStep> {
  yield { step, path, top, blocks };
  if (step.uses !== 'block') return;
  for (const key of BLOCK_LISTS) {
    for (const [index, child] of (step[key] ?? []).entries()) {
      yield* walk(child, [...path, key, index], top, [...blocks, step]);
    }
  }
}

/** Where the commit stands among the top steps: at its own, else at `restore`, which it then follows. */
export function commitIndex(steps: readonly AnyStep[]): number {
  const named = steps.findIndex(({ uses }) => uses === 'commit');
  return named === -1 ? steps.findIndex(({ uses }) => uses === 'restore') : named;
}
