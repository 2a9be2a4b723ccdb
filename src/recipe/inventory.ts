import validator from '../../schemas/inventory.validator.generated.cjs';
import type { Diagnostic } from './diagnostic.ts';
import { INVENTORY } from './explain-schema-error.ts';
import { type Finding, type ParsedRecipe, toDiagnostics } from './finding.ts';
import type { Inventory as InventoryData, Settings } from './inventory.generated.ts';
import { parseRecipe } from './parse.ts';
import { code } from './printable.ts';
import { readSource } from './read-source.ts';
import { findingsOf } from './schema-findings.ts';
import { didYouMean } from './suggest.ts';
import { checkValue } from './values.ts';

/** The hosts of a team, by the names that its recipes use. */
export interface Inventory {
  /** Its file, for messages. */
  readonly file: string;
  readonly hosts: ReadonlyMap<string, InventoryHost>;
  /** The names of their hosts. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
}

export interface InventoryHost {
  /** How ssh(1) names it. */
  readonly ssh: string;
  /** Its own, and what its groups set. */
  readonly settings: ReadonlyMap<string, Settings[string]>;
}

/**
 * Reads an inventory.
 * @param file what messages call it
 * @returns what is wrong with it, or the inventory
 * @throws FlowError RECIPE_NOT_FOUND for what is not a file; what node:fs throws
 */
export async function readInventory(
  path: string,
  file: string,
): Promise<
  | { readonly inventory: Inventory; readonly diagnostics: readonly [] }
  | { readonly inventory?: never; readonly diagnostics: readonly Diagnostic[] }
> {
  const { source, diagnostics: unreadable } = await readSource(path, file, 'inventory');
  if (unreadable.length > 0) return { diagnostics: unreadable };
  const { parsed, diagnostics } = parseRecipe(source);
  if (!parsed) return { diagnostics };
  if (Object.hasOwn(Object(parsed.data), 'steps')) {
    const message = 'This is a recipe, not an inventory';
    const mistake: Finding = { path: ['steps'], at: 'key', code: 'inventory', message, hint: HAS_HOSTS };
    return { diagnostics: toDiagnostics(parsed, [mistake]) };
  }
  const ofSchema = findingsOf(validator, parsed, INVENTORY);
  const data = parsed.data as InventoryData;
  const findings = ofSchema.length > 0 ? ofSchema : [...hostFindings(data), ...groupFindings(data)];
  if (findings.length > 0) return { diagnostics: toDiagnostics(parsed, findings) };
  return { inventory: toInventory(file, parsed), diagnostics: [] };
}

const HAS_HOSTS = 'An inventory has `version: 1`, `hosts`, and perhaps `groups`.';

function toInventory(file: string, { data }: Pick<ParsedRecipe, 'data'>): Inventory {
  const { hosts, groups = {} } = data as InventoryData;
  const entries = Object.entries(hosts).map(([name, host]): [string, InventoryHost] => {
    const ofGroups = groupsOf(name, groups).flatMap(({ group }) => Object.entries(group.settings ?? {}));
    return [
      name,
      { ssh: host?.ssh ?? name, settings: new Map([...ofGroups, ...Object.entries(host?.settings ?? {})]) },
    ];
  });
  const members = Object.entries(groups).map(([name, group]): [string, readonly string[]] => [
    name,
    group.hosts,
  ]);
  return { file, hosts: new Map(entries), groups: new Map(members) };
}

type Groups = NonNullable<InventoryData['groups']>;

function groupsOf(
  host: string,
  groups: Groups,
): readonly { readonly name: string; readonly group: Groups[string] }[] {
  return Object.entries(groups).flatMap(([name, group]) =>
    group.hosts.includes(host) ? [{ name, group }] : [],
  );
}

function hostFindings({ hosts, groups = {} }: InventoryData): readonly Finding[] {
  return Object.entries(hosts).flatMap(([name, host]): Finding[] => {
    const path = ['hosts', name];
    const problem = host?.ssh === undefined ? undefined : checkValue(`hosts.${name}.ssh`, 'host', host.ssh);
    if (problem) return [{ path: [...path, 'ssh'], at: 'value', code: 'wrong-value', ...problem }];
    const clash = clashOf(name, groups, Object.keys(host?.settings ?? {}));
    return clash === undefined ? [] : [{ path, at: 'key', code: 'inventory', ...clash }];
  });
}

/** Which group would count is nothing that a person should have to know at night. */
function clashOf(
  host: string,
  groups: Groups,
  own: readonly string[],
): Pick<Finding, 'message' | 'hint'> | undefined {
  const setBy = new Map<string, string>();
  for (const { name, group } of groupsOf(host, groups)) {
    for (const setting of Object.keys(group.settings ?? {})) {
      const other = setBy.get(setting);
      if (other !== undefined && !own.includes(setting)) {
        return {
          message: `The groups ${code(other)} and ${code(name)} both set ${code(setting)} of the host ${code(host)}`,
          hint: `Set it for the host itself: \`settings: { ${setting}: … }\`.`,
        };
      }
      setBy.set(setting, name);
    }
  }
  return undefined;
}

function groupFindings({ hosts, groups = {} }: InventoryData): readonly Finding[] {
  return Object.entries(groups).flatMap(([name, group]) =>
    group.hosts.flatMap((host, index): Finding[] => {
      if (Object.hasOwn(hosts, host)) return [];
      const message = `There is no host ${code(host)}`;
      const hint = didYouMean(host, Object.keys(hosts), 'hosts');
      return [{ path: ['groups', name, 'hosts', index], at: 'value', code: 'inventory', message, hint }];
    }),
  );
}
