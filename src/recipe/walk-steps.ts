import type { Path } from './path.ts';
import type { UsedRecipe } from './finding.ts';
import type { AlwaysStep, BlockItem, DumpStep, Hook, HookStep, Recipe, Step } from './recipe.generated.ts';

/** Any entry of a list of steps. */
export type AnyStep = Step | BlockItem | AlwaysStep | HookStep;

/** What a recipe need not name: it is done all the same. */
export type AddedStep =
  | { readonly uses: 'prepare' }
  | ({ readonly uses: 'pre-copy'; readonly rounds: number } & OfStrategy)
  | { readonly uses: 'commit' }
  | ({ readonly uses: 'post-copy' } & OfStrategy);

/** `when` is false where the strategy is chosen later. */
interface OfStrategy {
  readonly when?: false;
}

/** Where a step stands to the point of no return; `end` is done however the run ended. */
export type Stage = 'before-commit' | 'commit' | 'after-commit' | 'end';

/** What a recipe may have hooks around. */
export type HookName = keyof NonNullable<Recipe['hooks']>;

/** A step at the top, or a hook of one. */
export interface TopStep<Kind = AnyStep | AddedStep> {
  readonly step: Kind;
  /** Where it is in the recipe; of one that is added, the step that it is added to. */
  readonly path: Path;
  /** Tells it from the others: its place among the steps from 1, or `dump.before.1`. */
  readonly number: string;
  readonly stage: Stage;
  readonly isAdded: boolean;
}

/** A step, and where it stands. */
export interface PlacedStep {
  readonly step: AnyStep;
  /** Where it is in the recipe that has it. */
  readonly path: Path;
  /** Which is that, when another one uses it. */
  readonly recipe?: UsedRecipe;
  readonly stage: Stage;
  /** The workload is frozen when it is done. */
  readonly isInPause: boolean;
  /** The blocks that it is part of, the outermost first. */
  readonly blocks: readonly AnyStep[];
}

/** The lists of steps that a block has, in the order in which they run. */
export const BLOCK_LISTS = ['steps', 'rescue', 'always'] as const;

type WithSteps = Pick<Recipe, 'always' | 'hooks'> & { readonly steps: readonly Step[] };

/**
 * What is done at the top, in the order in which it is done: the preparation before the freeze, the commit at once after the restore
 * unless the recipe says where it stands, and hooks around them.
 */
export function orderSteps(recipe: WithSteps): readonly TopStep[] {
  const { steps, always = [] } = recipe;
  const ordered: TopStep[] = [];
  let stage: Stage = 'before-commit';
  const hook = (name: HookName | undefined, when: keyof Hook): void => {
    if (name === undefined) return;
    for (const [index, step] of (recipe.hooks?.[name]?.[when] ?? []).entries()) {
      const path = ['hooks', name, when, index];
      ordered.push({ step, path, number: `${name}.${when}.${index + 1}`, stage, isAdded: false });
    }
  };
  const add = (top: Omit<TopStep, 'stage'>, before: HookName | undefined, after = before): void => {
    hook(before, 'before');
    // A checkpoint that is kept is not taken back: the workload has gone on since.
    const isCommit = top.step.uses === 'commit' || top.step.uses === 'checkpoint';
    ordered.push({ ...top, stage: isCommit ? 'commit' : stage });
    if (isCommit) stage = 'after-commit';
    hook(after, 'after');
    if (top.step.uses === 'commit' && postCopy)
      ordered.push({ step: postCopy, path: top.path, number: 'post-copy', stage, isAdded: true });
  };
  const [postCopy] = steps.flatMap((step) => (step.uses === 'dump' ? postCopyOf(step) : []));
  const verifies = steps.flatMap(({ uses }, index) => (uses === 'verify' ? [index] : []));
  const hasCommit = steps.some(({ uses }) => uses === 'commit');
  let count = 0;
  for (const [index, step] of steps.entries()) {
    const path = ['steps', index];
    // A restore from a checkpoint freezes nothing, and has its preparation before it takes that.
    if (step.uses === 'dump' || step.uses === 'transfer/checkpoint')
      add({ step: PREPARE, path, number: 'prepare', isAdded: true }, 'prepare');
    for (const preCopy of step.uses === 'dump' ? preCopyOf(step) : [])
      add({ step: preCopy, path, number: 'pre-copy', isAdded: true }, undefined);
    count += 1;
    const own = { step, path, number: String(count), isAdded: false };
    if (step.uses === 'verify') {
      add(
        own,
        index === verifies[0] ? 'verify' : undefined,
        index === verifies.at(-1) ? 'verify' : undefined,
      );
    } else {
      add(own, HOOK_NAMES[step.uses]);
    }
    if (step.uses !== 'restore' || hasCommit) continue;
    count += 1;
    add({ step: COMMIT, path, number: String(count), isAdded: true }, 'commit');
  }
  for (const [index, step] of always.entries()) {
    const number = `always.${index + 1}`;
    ordered.push({ step, path: ['always', index], number, stage: 'end', isAdded: false });
  }
  return ordered;
}

/** Strategies that copy memory before the pause, and such that do after it. */
const PRE_COPIES: ReadonlySet<string | undefined> = new Set(['pre-copy', 'hybrid', 'auto']);
const POST_COPIES: ReadonlySet<string | undefined> = new Set(['post-copy', 'hybrid']);

function preCopyOf({ with: given = {} }: DumpStep): readonly AddedStep[] {
  const { strategy, rounds = DEFAULT_ROUNDS } = given;
  return PRE_COPIES.has(strategy) ? [{ uses: 'pre-copy', rounds, ...chosenLater(given) }] : [];
}

function postCopyOf({ with: given = {} }: DumpStep): readonly AddedStep[] {
  const { strategy, allowPostCopy } = given;
  const isAsked = POST_COPIES.has(strategy) || (strategy === 'auto' && allowPostCopy === true);
  return isAsked ? [{ uses: 'post-copy', ...chosenLater(given) }] : [];
}

function chosenLater({ strategy }: NonNullable<DumpStep['with']>): OfStrategy {
  return strategy === 'auto' ? { when: false } : {};
}

/** Copies of the memory while the workload runs, when a recipe does not say how many. */
const DEFAULT_ROUNDS = 8;

const PREPARE: AddedStep = { uses: 'prepare' };
const COMMIT: AddedStep = { uses: 'commit' };

/** The hooks of each step type that has some of its own. */
export const HOOK_NAMES: Readonly<Partial<Record<AnyStep['uses'], HookName>>> = {
  preflight: 'preflight',
  dump: 'dump',
  'transfer/rsync': 'transfer',
  'transfer/sftp': 'transfer',
  'transfer/shared': 'transfer',
  'transfer/stream': 'transfer',
  'transfer/checkpoint': 'transfer',
  restore: 'restore',
  commit: 'commit',
};

/**
 * Every step that a recipe names, those of blocks after their block, in the order in which they are done.
 * @param used the recipes that its steps use: with them, their steps too
 */
export function* walkSteps(
  recipe: WithSteps,
  used: ReadonlyMap<object, UsedRecipe> = new Map(),
): Generator<PlacedStep> {
  let isFrozen = false;
  for (const { step, path, stage, isAdded } of orderSteps(recipe)) {
    if (step.uses === 'commit') isFrozen = false;
    // What is added is nothing that the recipe has.
    if (!isAdded) yield* walk(step as AnyStep, { path, stage, isInPause: isFrozen, blocks: [] }, used);
    if (step.uses === 'dump') isFrozen = true;
    if (step.uses === 'checkpoint') isFrozen = false;
  }
}

function* walk(
  step: AnyStep,
  place: Omit<PlacedStep, 'step'>,
  used: ReadonlyMap<object, UsedRecipe>,
): Generator<PlacedStep> {
  yield { step, ...place };
  const recipe = used.get(step);
  for (const [index, child] of (recipe?.data.steps ?? []).entries()) {
    // What it has no part in: items and blocks of whoever uses it.
    const inside = { ...place, ...(recipe ? { recipe } : {}), path: ['steps', index], blocks: [] };
    yield* walk(child, inside, recipe?.used ?? used);
  }
  if (step.uses !== 'block') return;
  for (const key of BLOCK_LISTS) {
    for (const [index, child] of (step[key] ?? []).entries()) {
      const inside = { ...place, path: [...place.path, key, index], blocks: [...place.blocks, step] };
      yield* walk(child, inside, used);
    }
  }
}
