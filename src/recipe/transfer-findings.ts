import type { Finding } from './finding.ts';
import { TRANSFERS } from './order-findings.ts';
import type { Recipe } from './recipe.generated.ts';

/** What a recipe wants that its transfer cannot do. */
export function transferFindings({ steps, files = [], onFailure }: Recipe): readonly Finding[] {
  const transfer = steps.find(({ uses }) => TRANSFERS.includes(uses))?.uses;
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
