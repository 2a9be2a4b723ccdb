import type { Finding } from './finding.ts';
import { kindOf } from './kind-findings.ts';
import { TRANSFERS } from './order-findings.ts';
import type { Recipe } from './recipe.generated.ts';

/** What a recipe wants that its transfer cannot do. */
export function transferFindings(recipe: Recipe): readonly Finding[] {
  const { steps, files = [], onFailure } = recipe;
  const transfer = steps.find(({ uses }) => TRANSFERS.includes(uses))?.uses;
  const strategy = strategyFinding(recipe, transfer);
  if (strategy) return [strategy];
  if (transfer === 'transfer/shared' && files.length > 0) {
    return [
      {
        path: ['files'],
        at: 'key',
        code: 'transfer',
        message: '`transfer/shared` copies nothing, and these files are to move',
        hint: 'Take out what is on a shared file system too; for what is not, use `transfer/rsync`.',
      },
    ];
  }
  if (transfer === 'transfer/stream' && onFailure === 'revert') {
    return [
      {
        path: ['onFailure'],
        at: 'value',
        code: 'transfer',
        message: 'With `transfer/stream` the source keeps no whole images, and `revert` goes back to them',
        hint: 'Use `transfer/rsync`, or `migrate-back`.',
      },
    ];
  }
  return [];
}

/** A dump whose strategy goes with nothing else. */
function strategyFinding(recipe: Recipe, transfer: string | undefined): Finding | undefined {
  const index = recipe.steps.findIndex(({ uses }) => uses === 'dump');
  const dump = recipe.steps[index];
  if (dump?.uses !== 'dump' || dump.with === undefined) return undefined;
  const { strategy = 'stop-and-copy', rounds } = dump.with;
  const refuse = (key: 'strategy' | 'rounds', message: string, hint: string): Finding => ({
    path: ['steps', index, 'with', key],
    ...{ at: 'value', code: 'transfer', message, hint },
  });
  if (strategy !== 'pre-copy') {
    return rounds === undefined
      ? undefined
      : refuse('rounds', 'Only `strategy: pre-copy` has rounds', 'Take it out, or name the strategy.');
  }
  if (kindOf(recipe) !== 'move')
    return refuse('strategy', `A ${kindOf(recipe)} copies no memory to another host`, 'Take it out.');
  return transfer === 'transfer/stream'
    ? refuse(
        'strategy',
        '`transfer/stream` sends the memory in the pause, and `pre-copy` before it',
        'Use `transfer/rsync`: what is left for the pause is little.',
      )
    : undefined;
}
