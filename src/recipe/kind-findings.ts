import type { Finding } from './finding.ts';
import type { Path } from './path.ts';
import type { Recipe } from './recipe.generated.ts';

/** What a whole recipe is. */
export type RecipeKind = 'move' | 'checkpoint' | 'restore';

/** The kind of a recipe that is a run by itself. */
export function kindOf({ kind = 'move' }: Pick<Recipe, 'kind'>): RecipeKind {
  if (kind === 'steps' || kind === 'sequence') throw new Error(`a recipe of kind ${kind} is no whole one`);
  return kind;
}

/** What a recipe has that its kind has no use for: what it needs, the schema says. */
export function kindFindings(recipe: Recipe): readonly Finding[] {
  const kind = kindOf(recipe);
  const { hosts, workload, network } = recipe;
  const findings: Finding[] = [];
  const refuse = (path: Path, message: string, hint: string): void => {
    findings.push({ path, at: 'key', code: 'kind', message, hint });
  };
  if (kind === 'checkpoint' && hosts.destination !== undefined)
    refuse(['hosts', 'destination'], 'A checkpoint stays on its host', 'Take the destination out.');
  if (kind === 'restore' && hosts.source !== undefined)
    refuse(
      ['hosts', 'source'],
      'A restore has one host, where the checkpoint is',
      'Name it `destination`, and take the source out.',
    );
  if (kind === 'restore' && workload.process)
    refuse(['workload', 'process'], 'What is restored is a checkpoint, not a process', 'Take it out.');
  if (kind !== 'restore' && workload.checkpoint)
    refuse(
      ['workload', 'checkpoint'],
      'Only a recipe of `kind: restore` has a checkpoint for its workload',
      'Name the `process` instead.',
    );
  if (kind === 'move') return findings;
  if (kind === 'restore' && recipe.objectives)
    refuse(['objectives'], 'What is restored did not run before: it has no pause', 'Take it out.');
  if (recipe.onFailure !== undefined)
    refuse(['onFailure'], `A ${kind} has no way back that a run could go`, 'Take it out.');
  if (network?.address)
    refuse(
      ['network', 'address'],
      `A ${kind} does not move an address`,
      'Take it out: the host has its address, or another step gives it to it.',
    );
  if (network?.connections === 'keep') {
    findings.push({
      path: ['network', 'connections'],
      at: 'value',
      code: 'kind',
      message: `Connections cannot be kept by a ${kind}: their other ends have gone on since`,
      hint: 'Write `connections: close`.',
    });
  }
  return findings;
}
