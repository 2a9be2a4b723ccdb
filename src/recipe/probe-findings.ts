import { parseDuration } from './duration.ts';
import type { Finding } from './finding.ts';
import type { Path } from './path.ts';
import { code } from './printable.ts';
import type { CheckOrProbe, Recipe, Step } from './recipe.generated.ts';
import { didYouMean } from './suggest.ts';
import { walkSteps } from './walk-steps.ts';

/** Milliseconds: a probe that is asked more often would be a load. */
const LEAST_EVERY_MS = 50;

type ProbedRecipe = Pick<Recipe, 'probes' | 'checks'> & { readonly steps: readonly Step[] };

/** Names of probes that are nowhere, probes that nothing asks, and ones that are asked too often. */
export function probeFindings(recipe: ProbedRecipe): Finding[] {
  const known = Object.keys(recipe.probes ?? {});
  const asked = [...namesIn(recipe)];
  const used = new Set(asked.map(({ name }) => name));
  const unknown = asked.filter(({ name }) => !known.includes(name));
  return [
    ...unknown.map(({ name, path }): Finding => {
      const hint = known.length === 0 ? 'Give it under `probes`.' : didYouMean(name, known, 'probes');
      return { path, at: 'value', code: 'checks', message: `There is no probe ${code(name)}`, hint };
    }),
    ...tooOften(recipe),
    ...known.filter((name) => !used.has(name)).map(unusedFinding),
  ];
}

function* namesIn(recipe: ProbedRecipe): Generator<{ readonly name: string; readonly path: Path }> {
  const { before = [], during = [], after = [] } = recipe.checks ?? {};
  yield* namesAmong(before, ['checks', 'before']);
  yield* namesAmong(after, ['checks', 'after']);
  for (const [index, { probe }] of during.entries()) {
    yield { name: probe, path: ['checks', 'during', index, 'probe'] };
  }
  for (const { step, path } of walkSteps(recipe)) {
    if (step.uses === 'verify') yield* namesAmong(step.with.checks, [...path, 'with', 'checks']);
  }
}

function* namesAmong(
  checks: readonly CheckOrProbe[],
  path: Path,
): Generator<{ readonly name: string; readonly path: Path }> {
  for (const [index, check] of checks.entries()) {
    if (typeof check === 'string') yield { name: check, path: [...path, index] };
  }
}

function tooOften({ checks }: Pick<Recipe, 'checks'>): Finding[] {
  return (checks?.during ?? []).flatMap(({ every }, index): Finding[] => {
    const everyMs = every === undefined ? undefined : parseDuration(every);
    if (everyMs === undefined || everyMs >= LEAST_EVERY_MS) return [];
    const message = `A probe can be asked every ${LEAST_EVERY_MS} ms at most`;
    return [{ path: ['checks', 'during', index, 'every'], at: 'value', code: 'checks', message }];
  });
}

function unusedFinding(name: string): Finding {
  return {
    path: ['probes', name],
    at: 'key',
    code: 'checks',
    severity: 'warning',
    message: `Nothing asks the probe ${code(name)}`,
    hint: 'Name it in `checks`, or in the `checks` of a `verify`; or take it out.',
  };
}
