import { readRecipeSchema, resolveNode, type SchemaNode } from '../../src/recipe/recipe-schema.ts';

const schema = readRecipeSchema();

/** What a condition says of a property is no other one. */
const CONDITIONS: ReadonlySet<string> = new Set(['if', 'then', 'else']);

/** Every property of the schema of recipes, as editors show it, with its JSON pointer. */
export function schemaProperties(node: unknown = schema, pointer = ''): [string, SchemaNode][] {
  if (typeof node !== 'object' || node === null) return [];
  const own = Object.entries((node as SchemaNode).properties ?? {}).map(
    ([name, property]): [string, SchemaNode] => [
      `${pointer}/properties/${name}`,
      resolveNode(schema, property),
    ],
  );
  const inner = Object.entries(node).filter(([key]) => !CONDITIONS.has(key));
  return [...own, ...inner.flatMap(([key, value]) => schemaProperties(value, `${pointer}/${key}`))];
}
