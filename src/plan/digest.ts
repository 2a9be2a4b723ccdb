import { createHash } from 'node:crypto';
import type { Plan, SequencePlan } from './plan.ts';

/** SHA-256 (hex) of all of a plan but its digest, in canonical JSON. */
export function digestOf(plan: Omit<Plan, 'digest'> | Plan | Omit<SequencePlan, 'digest'>): string {
  const { digest: _, ...rest } = { digest: '', ...plan };
  return createHash('sha256').update(canonical(rest)).digest('hex');
}

/** JSON whose keys are sorted, so that the same value has one text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
