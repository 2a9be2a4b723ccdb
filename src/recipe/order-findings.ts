import type { Finding } from './finding.ts';
import type { Step } from './recipe.generated.ts';

/** The steps that a migration is made of, in this order. Others may stand anywhere between. */
export const ORDER: readonly Step['uses'][] = ['preflight', 'dump', 'transfer/rsync', 'restore', 'commit'];

/** Only this one may be left out: it then follows `restore`. */
export const OPTIONAL: Step['uses'] = 'commit';

const HINT = 'A migration is preflight, dump, transfer/rsync, restore, in this order, and then verify.';

/** Steps that are missing, there twice, or in the wrong order. */
export function orderFindings(steps: readonly Step[]): readonly Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  let last = -1;
  for (const [index, { uses }] of steps.entries()) {
    const place = ORDER.indexOf(uses);
    if (place === -1) continue;
    const before = ORDER[last] ?? '';
    if (seen.has(uses)) findings.push(stepFinding(index, `There are two steps \`${uses}\``));
    else if (place < last) findings.push(stepFinding(index, `\`${uses}\` must come before \`${before}\``));
    seen.add(uses);
    last = Math.max(last, place);
  }
  const lacking = ORDER.filter((uses) => uses !== OPTIONAL && !seen.has(uses));
  if (lacking.length > 0) {
    const message = `The steps lack ${lacking.map((uses) => `\`${uses}\``).join(', ')}`;
    findings.push({ path: ['steps'], at: 'key', code: 'steps', message, hint: HINT });
  }
  return findings;
}

function stepFinding(index: number, message: string): Finding {
  return { path: ['steps', index, 'uses'], at: 'value', code: 'steps', message, hint: HINT };
}
