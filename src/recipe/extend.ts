import type { ParsedRecipe } from './finding.ts';
import type { Locations } from './locations.ts';
import type { Path } from './path.ts';

/**
 * Lays a recipe over another one. Mappings are merged key by key; a list or a single value takes the place of the other's, and
 * so does what must be of one piece: how the workload is found, a probe, a retry, where a secret is.
 */
export function layOver(own: ParsedRecipe, base: ParsedRecipe): ParsedRecipe {
  const { extends: _, ...over } = own.data as Record<string, unknown>;
  return { ...own, data: merge(over, base.data, [], own.locations, base.locations) };
}

/** These, and what is below `*`, are taken over whole or not at all. */
const OF_ONE_PIECE: readonly Path[] = [
  ['workload', 'process'],
  ['workload', 'checkpoint'],
  ['probes', '*'],
  ['retries', '*'],
  ['inputs', '*', 'from'],
];

function merge(own: unknown, base: unknown, path: Path, to: Locations, from: Locations): unknown {
  if (!isMapping(own) || !isMapping(base) || isOfOnePiece(path)) return own;
  // Without a prototype, as the reader makes them: no key can mean more than itself.
  const merged = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of Object.entries(base)) {
    if (Object.hasOwn(own, key)) {
      merged[key] = merge(own[key], value, [...path, key], to, from);
    } else {
      to.adopt(path, key, from);
      merged[key] = value;
    }
  }
  for (const [key, value] of Object.entries(own)) {
    if (!Object.hasOwn(merged, key)) merged[key] = value;
  }
  return merged;
}

function isOfOnePiece(path: Path): boolean {
  return OF_ONE_PIECE.some(
    (each) =>
      each.length === path.length && each.every((part, index) => part === '*' || part === path[index]),
  );
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
