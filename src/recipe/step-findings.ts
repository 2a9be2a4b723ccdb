import type { Finding, RecipeSteps, UsedRecipe, ValidRecipe } from './finding.ts';
import type { Path } from './path.ts';
import { code } from './printable.ts';
import type { BlockStep, CommandStep, Recipe } from './recipe.generated.ts';
import { didYouMean } from './suggest.ts';
import { type AnyStep, HOOK_NAMES, type PlacedStep, walkSteps } from './walk-steps.ts';

/** Blocks in each other: what nests deeper, nobody reads at night. */
const MAX_BLOCKS = 3;

/**
 * Commands that change something before the commit and have no undo; names of results and retries that are there twice,
 * or nowhere; and what the keys of steps cannot be together.
 */
export function stepFindings({ data, used }: ValidRecipe): readonly Finding[] {
  // Each recipe has names of its own.
  const registered = new Map<UsedRecipe | undefined, Set<string>>();
  const findings: Finding[] = [...hookFindings(data)];
  for (const placed of walkSteps(data, used)) {
    const { recipe } = placed;
    const names = registered.get(recipe) ?? new Set();
    registered.set(recipe, names);
    const retries = Object.keys((recipe?.data ?? data).retries ?? {});
    const found = [...nameFindings(placed, retries, names), ...placeFindings(placed)];
    findings.push(...found.map((each) => ({ ...each, recipe })));
  }
  return findings;
}

/** The same of steps that other recipes use, but for where they stand: that is not known yet. */
export function ownStepFindings(data: RecipeSteps): readonly Finding[] {
  const retries = Object.keys(data.retries ?? {});
  const registered = new Set<string>();
  return [...walkSteps(data)].flatMap((placed) => nameFindings(placed, retries, registered));
}

/** Names, and what the keys of a step cannot be together. */
function nameFindings(placed: PlacedStep, retries: readonly string[], registered: Set<string>): Finding[] {
  const { step, path } = placed;
  return [
    ...blockFindings(placed),
    ...retryFindings(step, path, retries),
    ...registerFindings(placed, registered),
  ];
}

/** What a step may not do where it stands. */
function placeFindings(placed: PlacedStep): Finding[] {
  const { step, path, stage } = placed;
  return [
    ...(stage === 'after-commit' ? rollbackFindings(step, path) : []),
    ...(step.uses === 'approve' ? approveFindings(placed) : []),
    ...(step.uses === 'command' && stage !== 'end'
      ? undoFindings(step, path, stage === 'before-commit')
      : []),
  ];
}

/** Hooks of a step that is not there would never be done. */
function hookFindings({ hooks = {}, steps }: Recipe): Finding[] {
  const there = new Set(steps.map(({ uses }) => HOOK_NAMES[uses] ?? uses));
  return Object.keys(hooks).flatMap((name) => {
    // These are added when they are left out.
    if (name === 'prepare' || name === 'commit' || there.has(name as 'verify')) return [];
    const message = `There is no step ${code(name)} at the top for these hooks`;
    return [finding(['hooks', name], 'key', message, `Add the step, or take the hooks out.`)];
  });
}

/** People take minutes, and a workload that is frozen has seconds. */
function approveFindings({ path, isInPause }: PlacedStep): Finding[] {
  if (!isInPause) return [];
  const message = 'The workload would be frozen while this waits for people';
  return [finding([...path, 'uses'], 'value', message, 'Put it before `dump`, or after the commit.')];
}

/** After the commit there is no way back, so a recipe must not look as if there were one. */
function rollbackFindings(step: AnyStep, path: Path): Finding[] {
  const { rollback } = { rollback: [], ...step };
  if (rollback.length === 0) return [];
  const message = `The rollback of ${code(step.uses)} would never run: it stands after the commit`;
  const hint = 'Put it on a step before the commit: it then runs when the move is undone.';
  return [finding([...path, 'rollback'], 'key', message, hint)];
}

/** Before the commit a run can be taken back, and so must be what its commands change. */
function undoFindings(step: CommandStep, path: Path, isBeforeCommit: boolean): Finding[] {
  const { rollback = [], irreversible, readOnly = false } = step;
  const said = [
    ...(rollback.length > 0 ? ['rollback'] : []),
    ...(irreversible === undefined ? [] : ['irreversible']),
    ...(readOnly ? ['readOnly'] : []),
  ];
  const [first, second] = said;
  if (first !== undefined && second !== undefined) {
    const message = `${code(first)} and ${code(second)} cannot both be true of a command`;
    return [finding([...path, second], 'key', message, 'Take one of them out.')];
  }
  if (!isBeforeCommit || first !== undefined) return [];
  const message = 'This command stands before the commit, and nothing says how what it changes is taken back';
  const hint =
    'Give it a `rollback`; or `readOnly: true` when it only looks; or `irreversible: why` when there is no way back.';
  return [finding([...path, 'uses'], 'value', message, hint)];
}

function registerFindings({ step, path, blocks }: PlacedStep, registered: Set<string>): Finding[] {
  if (!('register' in step) || step.register === undefined) return [];
  const { register } = step;
  if ([...blocks, step].some((each) => 'forEach' in each)) {
    const message = 'A step with `forEach` has a result for each item, and `register` has room for one';
    const hint = 'Let one command do the whole list, and register that.';
    return [finding([...path, 'register'], 'key', message, hint)];
  }
  if (registered.has(register)) {
    return [
      finding(
        [...path, 'register'],
        'value',
        `Another step registers ${code(register)}`,
        'Names are unique.',
      ),
    ];
  }
  registered.add(register);
  return [];
}

function retryFindings(step: AnyStep, path: Path, known: readonly string[]): Finding[] {
  if (!('retry' in step) || typeof step.retry !== 'string' || known.includes(step.retry)) return [];
  const message = `There is no ${code(step.retry)} in \`retries\``;
  return [finding([...path, 'retry'], 'value', message, didYouMean(step.retry, known, 'retries'))];
}

function blockFindings({ step, path, blocks }: PlacedStep): Finding[] {
  if (step.uses === 'block' && blocks.length >= MAX_BLOCKS) {
    const message = `Blocks nest at most ${MAX_BLOCKS} deep`;
    return [finding([...path, 'uses'], 'value', message, 'Put the inner steps into the outer block.')];
  }
  if (!('forEach' in step) || !blocks.some((block: BlockStep | AnyStep) => 'forEach' in block)) return [];
  const message = 'A `forEach` inside of a `forEach` would have two items';
  return [finding([...path, 'forEach'], 'key', message, 'Take one of them out.')];
}

function finding(path: Path, at: Finding['at'], message: string, hint: string): Finding {
  return { path, at, code: 'steps', message, hint };
}
