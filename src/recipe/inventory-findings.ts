import type { Finding } from './finding.ts';
import type { Inventory } from './inventory.ts';
import type { Path } from './path.ts';
import { code } from './printable.ts';
import type { Input, Recipe } from './recipe.generated.ts';
import { didYouMean } from './suggest.ts';
import type { ValueProblem } from './values.ts';

/** What a recipe names that its inventory has not. */
export function inventoryFindings(
  { inputs = {}, hosts = {} }: Pick<Recipe, 'inputs'> & Partial<Pick<Recipe, 'hosts'>>,
  inventory: Inventory,
): readonly Finding[] {
  const literal = Object.entries(hosts).flatMap(([role, host]): Finding[] => {
    if (!isLiteral(host)) return [];
    const problem = hostProblem(`hosts.${role}`, undefined, host, inventory);
    return problem ? [{ path: ['hosts', role], at: 'value', code: 'inventory', ...problem }] : [];
  });
  return [
    ...Object.entries(inputs).flatMap(([name, input]) => inputFinding(name, input, inventory)),
    ...literal,
  ];
}

/** Whether a host of a recipe stands there itself: what a template yields is known by its name already. */
export function isLiteral(host: string): boolean {
  return !host.includes('{{');
}

/** Whether an input takes hosts. */
export function isOfHosts({ type, items }: Pick<Input, 'type' | 'items'>): boolean {
  return type === 'host' || (type === 'list' && items === 'host');
}

/** The names that an input may take, of a group or of all. */
export function hostsOf(group: string | undefined, { hosts, groups }: Inventory): readonly string[] {
  return group === undefined ? [...hosts.keys()] : (groups.get(group) ?? []);
}

/** Why a host is not one that may stand somewhere. @param where what the message calls the place */
export function hostProblem(
  where: string,
  group: string | undefined,
  host: string,
  inventory: Inventory,
): ValueProblem | undefined {
  const { file, hosts } = inventory;
  const members = hostsOf(group, inventory);
  if (members.includes(host)) return undefined;
  const isKnown = hosts.has(host);
  const message =
    group !== undefined && isKnown
      ? `${where} cannot be ${code(host)}, which is not in the group ${code(group)} of ${file}`
      : `${where} cannot be ${code(host)}: ${file} has no such host`;
  return { message, hint: didYouMean(host, members, 'hosts') };
}

function inputFinding(name: string, input: Input, inventory: Inventory): Finding[] {
  const { file, groups, hosts } = inventory;
  const { group, setting } = input;
  const finding = (path: Path, problem: ValueProblem): Finding[] => [
    { path: ['inputs', name, ...path], at: 'value', code: 'inventory', ...problem },
  ];
  if (group !== undefined && !groups.has(group)) {
    const hint = didYouMean(group, [...groups.keys()], 'groups');
    return finding(['group'], { message: `${file} has no group ${code(group)}`, hint });
  }
  if (setting !== undefined) {
    const settings = [...new Set([...hosts.values()].flatMap((host) => [...host.settings.keys()]))];
    if (settings.includes(setting.name)) return [];
    const hint = didYouMean(setting.name, settings, 'settings');
    return finding(['setting', 'name'], {
      message: `No host of ${file} has the setting ${code(setting.name)}`,
      hint,
    });
  }
  if (!isOfHosts(input) || input.default === undefined) return [];
  const problem = [input.default]
    .flat()
    .map((host) => hostProblem(`The default of ${code(name)}`, group, String(host), inventory))
    .find((each) => each !== undefined);
  return problem ? finding(['default'], problem) : [];
}
