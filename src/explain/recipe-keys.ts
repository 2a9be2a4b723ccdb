import { definitionOf, type RecipeSchema, resolveNode, type SchemaNode } from '../recipe/recipe-schema.ts';

/** A key of a recipe. The same key may stand in several places. */
export interface RecipeKey {
  readonly name: string;
  /** Paths of names: `network.address.cidr`; below a step type `command.with.argv`; `NAME` is one that the recipe gives. */
  readonly places: readonly string[];
  readonly description: string;
  /** What kind of value it takes, in a few words. */
  readonly type: string;
  /** All that it takes, where those are few. */
  readonly values?: readonly string[];
  readonly isRequired: boolean;
  readonly default?: unknown;
  readonly examples: readonly unknown[];
  /** What stands below it. */
  readonly keys: readonly string[];
}

/** The types of step that one of the schema's lists of steps takes, with their definitions. */
export function stepsOf(
  schema: RecipeSchema,
  list: 'step' | 'blockItem' | 'hookStep',
): ReadonlyMap<string, SchemaNode> {
  const members = schema.definitions[list]?.oneOf ?? [];
  return new Map(
    members.map((member) => {
      const definition = resolveNode(schema, member);
      return [String(definition.properties?.['uses']?.const), definition];
    }),
  );
}

/** Every key of a recipe, those of steps first. */
export function recipeKeys(schema: RecipeSchema): readonly RecipeKey[] {
  const ofSteps = [...stepsOf(schema, 'step')].flatMap(([uses, step]) => keysBelow(schema, step, [uses]));
  return merge([...ofSteps, ...keysBelow(schema, schema, [])]);
}

/** The keys that a mapping itself has. */
export function ownKeys(
  schema: RecipeSchema,
  mapping: SchemaNode,
  path: readonly string[] = [],
): RecipeKey[] {
  // A recipe that extends none needs more than one that does.
  const required = [mapping.required ?? [], mapping.else?.else?.required ?? []].flat();
  return Object.entries(mapping.properties ?? {}).map(([name, property]) => {
    const node = resolveNode(schema, property);
    const values = node.const === undefined ? node.enum : [node.const];
    const inner = mappingsOf(schema, node).flatMap((below) => Object.keys(below.mapping.properties ?? {}));
    return {
      name,
      places: [[...path, name].join('.')],
      description: node.description ?? '',
      type: typeOf(schema, node),
      ...(values === undefined ? {} : { values: values.map(String) }),
      isRequired: required.includes(name),
      ...(node.default === undefined ? {} : { default: node.default }),
      examples: node.examples ?? [],
      keys: [...new Set(inner)],
    };
  });
}

function keysBelow(schema: RecipeSchema, mapping: SchemaNode, path: readonly string[]): RecipeKey[] {
  const below = Object.entries(mapping.properties ?? {}).flatMap(([name, property]) =>
    mappingsOf(schema, resolveNode(schema, property))
      // The steps of a block, a hook and a rollback are those that stand at the top.
      .filter((inner) => inner.mapping.properties?.['uses'] === undefined)
      .flatMap((inner) => keysBelow(schema, inner.mapping, [...path, name, ...inner.names])),
  );
  return [...ownKeys(schema, mapping, path), ...below];
}

interface Mapping {
  readonly mapping: SchemaNode;
  /** What stands between it and the value that holds it: `NAME`, when the recipe names it. */
  readonly names: readonly string[];
}

/** The mappings that a value is, or holds: as the items of a list, or under names that the recipe gives. */
function mappingsOf(schema: RecipeSchema, node: SchemaNode): Mapping[] {
  if (node.properties) return [{ mapping: node, names: [] }];
  if (typeof node.additionalProperties === 'object') {
    const inner = mappingsOf(schema, resolveNode(schema, node.additionalProperties));
    return inner.map(({ mapping, names }) => ({ mapping, names: ['NAME', ...names] }));
  }
  return [node.items, node.else].flatMap((inner) =>
    inner === undefined ? [] : mappingsOf(schema, resolveNode(schema, inner)),
  );
}

/** Keys that say the same are one key in several places. */
function merge(keys: readonly RecipeKey[]): RecipeKey[] {
  const merged = new Map<string, RecipeKey>();
  for (const key of keys) {
    const { places: _, values, ...words } = key;
    // `uses` has one value in each step type, and is one key all the same.
    const id = JSON.stringify(key.name === 'uses' ? key.description : { ...words, values });
    const earlier = merged.get(id);
    merged.set(id, earlier ? join(earlier, key) : key);
  }
  return [...merged.values()];
}

function join(one: RecipeKey, other: RecipeKey): RecipeKey {
  const values = [...new Set([...(one.values ?? []), ...(other.values ?? [])])];
  return {
    ...one,
    places: [...one.places, ...other.places],
    ...(values.length === 0 ? {} : { values }),
  };
}

/** Definitions whose names say what they are. */
const NAMED: ReadonlySet<string | undefined> = new Set([
  'host',
  'path',
  'cidr',
  'device',
  'duration',
  'bandwidth',
]);

/** What stands for a template in a pattern of the schema. */
const TEMPLATE = '\\{[{%]';

function typeOf(schema: RecipeSchema, node: SchemaNode): string {
  const name = definitionOf(node);
  if (name !== undefined && NAMED.has(name)) return name;
  if (node.const !== undefined || node.enum) return 'one of';
  if (node.else) return `text, or a ${typeOf(schema, resolveNode(schema, node.else))}`;
  const types = [node.type ?? []].flat().map((type) => {
    if (type === 'string' && node.pattern === TEMPLATE) return 'a template';
    return type === 'array' && node.items ? listOf(schema, node.items) : wordOf(type, node);
  });
  return types.toSorted((a, b) => Number(a === 'a template') - Number(b === 'a template')).join(', or ');
}

function listOf(schema: RecipeSchema, items: SchemaNode): string {
  const node = resolveNode(schema, items);
  if (node.oneOf || node.properties?.['uses']) return 'list of steps';
  // The names of probes, or checks.
  if (node.else) return 'list of texts, or mappings';
  return `list of ${typeOf(schema, node).replace(/^(text|mapping|whole number)\b/, '$1s')}`;
}

function wordOf(type: string, { minimum, maximum }: SchemaNode): string {
  const range =
    minimum === undefined ? '' : ` from ${minimum}${maximum === undefined ? '' : ` to ${maximum}`}`;
  switch (type) {
    case 'string':
      return 'text';
    case 'object':
      return 'mapping';
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `whole number${range}`;
    default:
      return `${type}${range}`;
  }
}
