import type { Finding } from './finding.ts';
import type { RecipeKind } from './kind-findings.ts';
import type { Step } from './recipe.generated.ts';

/** How the images of a move come to its destination: by one of these. */
export const TRANSFERS: readonly Step['uses'][] = [
  'transfer/rsync',
  'transfer/sftp',
  'transfer/shared',
  'transfer/stream',
];

/** The steps that each kind of recipe is made of, in this order, one of each place. Others may stand anywhere between. */
export const ORDERS: Readonly<Record<RecipeKind, readonly (readonly Step['uses'][])[]>> = {
  move: [['preflight'], ['dump'], TRANSFERS, ['restore'], ['commit']],
  checkpoint: [['preflight'], ['dump'], ['checkpoint']],
  restore: [['preflight'], ['transfer/checkpoint'], ['restore'], ['commit']],
};

/** Only this one may be left out: it then follows `restore`. */
export const OPTIONAL: Step['uses'] = 'commit';

const HINTS: Readonly<Record<RecipeKind, string>> = {
  move: `A migration is preflight, dump, a transfer, restore, in this order, and then verify. A transfer is ${TRANSFERS.join(' or ')}.`,
  checkpoint: 'A checkpoint is preflight, dump, checkpoint, in this order.',
  restore: 'A restore is preflight, transfer/checkpoint, restore, in this order, and then verify.',
};

/** Every step that one kind of recipe is made of or another. */
const MADE_OF: ReadonlySet<Step['uses']> = new Set(Object.values(ORDERS).flat(2));

/** Steps that are missing, there twice, in the wrong order, or of another kind of recipe. */
export function orderFindings(kind: RecipeKind, steps: readonly Step[]): readonly Finding[] {
  const findings: Finding[] = [];
  const order = ORDERS[kind];
  const hint = HINTS[kind];
  // What stands in each place.
  const seen = new Map<number, Step['uses']>();
  const refuse = (index: number, message: string): void => {
    findings.push({ path: ['steps', index, 'uses'], at: 'value', code: 'steps', message, hint });
  };
  for (const [index, { uses }] of steps.entries()) {
    const place = order.findIndex((each) => each.includes(uses));
    if (place === -1 && MADE_OF.has(uses)) refuse(index, `A recipe of \`kind: ${kind}\` has no \`${uses}\``);
    if (place === -1) continue;
    const last = Math.max(-1, ...seen.keys());
    const twin = seen.get(place);
    if (twin === uses) refuse(index, `There are two steps \`${uses}\``);
    else if (twin !== undefined)
      refuse(index, `\`${uses}\` is a second transfer, and there is \`${twin}\` already`);
    else if (place < last) refuse(index, `\`${uses}\` must come before \`${seen.get(last) ?? ''}\``);
    if (twin === undefined) seen.set(place, uses);
  }
  const lacking = order.filter(([uses], place) => uses !== OPTIONAL && !seen.has(place));
  // What stands there is of another kind: to say what lacks too would be its echo.
  if (lacking.length > 0 && findings.length === 0) {
    const message = `The steps lack ${lacking.map((uses) => uses.map((each) => `\`${each}\``).join(' or ')).join(', ')}`;
    findings.push({ path: ['steps'], at: 'key', code: 'steps', message, hint });
  }
  return findings.slice(0, 2);
}
