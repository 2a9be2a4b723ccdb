import type { Finding } from './finding.ts';
import type { RecipeKind } from './kind-findings.ts';
import type { Step } from './recipe.generated.ts';

/** The steps that each kind of recipe is made of, in this order. Others may stand anywhere between. */
export const ORDERS: Readonly<Record<RecipeKind, readonly Step['uses'][]>> = {
  move: ['preflight', 'dump', 'transfer/rsync', 'restore', 'commit'],
  checkpoint: ['preflight', 'dump', 'checkpoint'],
  restore: ['preflight', 'transfer/checkpoint', 'restore', 'commit'],
};

/** Only this one may be left out: it then follows `restore`. */
export const OPTIONAL: Step['uses'] = 'commit';

const HINTS: Readonly<Record<RecipeKind, string>> = {
  move: 'A migration is preflight, dump, transfer/rsync, restore, in this order, and then verify.',
  checkpoint: 'A checkpoint is preflight, dump, checkpoint, in this order.',
  restore: 'A restore is preflight, transfer/checkpoint, restore, in this order, and then verify.',
};

/** Every step that one kind of recipe is made of or another. */
const MADE_OF: ReadonlySet<Step['uses']> = new Set(Object.values(ORDERS).flat());

/** Steps that are missing, there twice, in the wrong order, or of another kind of recipe. */
export function orderFindings(kind: RecipeKind, steps: readonly Step[]): readonly Finding[] {
  const findings: Finding[] = [];
  const order = ORDERS[kind];
  const hint = HINTS[kind];
  const seen = new Set<string>();
  let last = -1;
  const refuse = (index: number, message: string): void => {
    findings.push({ path: ['steps', index, 'uses'], at: 'value', code: 'steps', message, hint });
  };
  for (const [index, { uses }] of steps.entries()) {
    const place = order.indexOf(uses);
    if (place === -1 && MADE_OF.has(uses)) refuse(index, `A recipe of \`kind: ${kind}\` has no \`${uses}\``);
    if (place === -1) continue;
    const before = order[last] ?? '';
    if (seen.has(uses)) refuse(index, `There are two steps \`${uses}\``);
    else if (place < last) refuse(index, `\`${uses}\` must come before \`${before}\``);
    seen.add(uses);
    last = Math.max(last, place);
  }
  const lacking = order.filter((uses) => uses !== OPTIONAL && !seen.has(uses));
  // What stands there is of another kind: to say what lacks too would be its echo.
  if (lacking.length > 0 && findings.length === 0) {
    const message = `The steps lack ${lacking.map((uses) => `\`${uses}\``).join(', ')}`;
    findings.push({ path: ['steps'], at: 'key', code: 'steps', message, hint });
  }
  return findings.slice(0, 2);
}
