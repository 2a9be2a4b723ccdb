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
  const { strategy = 'stop-and-copy', rounds, allowPostCopy } = dump.with;
  const refuse: Refuse = (key, message, hint) => ({
    path: ['steps', index, 'with', key],
    ...{ at: 'value', code: 'transfer', message, hint },
  });
  if (!HAVE_ROUNDS.has(strategy) && rounds !== undefined)
    return refuse(
      'rounds',
      'Only `strategy: pre-copy`, `hybrid` and `auto` have rounds',
      'Take it out, or name the strategy.',
    );
  if (strategy !== 'auto' && allowPostCopy !== undefined)
    return refuse(
      'allowPostCopy',
      '`allowPostCopy` is for `strategy: auto`, which chooses',
      'Take it out, or name that strategy.',
    );
  if (strategy === 'stop-and-copy') return undefined;
  if (kindOf(recipe) !== 'move')
    return refuse('strategy', `A ${kindOf(recipe)} copies no memory to another host`, 'Take it out.');
  if (strategy === 'post-copy' || strategy === 'hybrid')
    return postCopyFinding(recipe, { name: strategy, key: 'strategy' }, transfer, refuse);
  if (transfer === 'transfer/stream')
    return refuse(
      'strategy',
      `\`transfer/stream\` sends the memory in the pause, and \`${strategy}\` before it${strategy === 'auto' ? ' where that is better' : ''}`,
      'Use `transfer/rsync`: what is left for the pause is little.',
    );
  return allowPostCopy === true
    ? postCopyFinding(recipe, { name: 'post-copy', key: 'allowPostCopy' }, transfer, refuse)
    : undefined;
}

const HAVE_ROUNDS: ReadonlySet<string> = new Set(['pre-copy', 'hybrid', 'auto']);

type Key = 'strategy' | 'rounds' | 'allowPostCopy';
type Refuse = (key: Key, message: string, hint: string) => Finding;

/** Memory that is fetched after the commit. */
function postCopyFinding(
  { onFailure }: Recipe,
  { name, key }: { readonly name: string; readonly key: Key },
  transfer: string | undefined,
  refuse: Refuse,
): Finding | undefined {
  if (onFailure === 'revert') {
    return refuse(
      key,
      `After \`${name}\` there are no whole images on the source, and \`onFailure: revert\` goes back to those`,
      'Use `onFailure: migrate-back`, or another strategy.',
    );
  }
  return transfer === undefined || transfer === 'transfer/rsync'
    ? undefined
    : refuse(
        key,
        `\`${name}\` goes with \`transfer/rsync\` only, and not with \`${transfer}\``,
        'Use `transfer/rsync`: the images without most of the memory are small.',
      );
}
