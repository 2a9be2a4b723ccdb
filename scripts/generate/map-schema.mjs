// Ways through a JSON schema. A property may be called `default` or `examples`: only what stands where a keyword stands
// is one.

const ONE_SCHEMA = ['additionalProperties', 'items', 'propertyNames', 'if', 'then', 'else'];
const LIST_OF_SCHEMAS = ['oneOf', 'anyOf', 'allOf'];
const NAMED_SCHEMAS = ['properties', 'definitions'];

/**
 * A schema in which `change(node, path)` has replaced each schema: those inside of one before it.
 * @param path from the top: `['definitions', 'command', 'properties', 'env']`
 */
export function mapSchema(node, change, path = []) {
  if (typeof node !== 'object') return node;
  const mapped = Object.entries(node).map(([keyword, value]) => {
    const at = (...more) => [...path, keyword, ...more];
    if (ONE_SCHEMA.includes(keyword)) return [keyword, mapSchema(value, change, at())];
    if (LIST_OF_SCHEMAS.includes(keyword)) {
      return [keyword, value.map((each, index) => mapSchema(each, change, at(index)))];
    }
    if (NAMED_SCHEMAS.includes(keyword)) {
      const named = Object.entries(value).map(([name, each]) => [name, mapSchema(each, change, at(name))]);
      return [keyword, Object.fromEntries(named)];
    }
    return [keyword, value];
  });
  return change(Object.fromEntries(mapped), path);
}

/** A node with what its `$ref` stands for; its own words count more. */
export function resolve(schema, node) {
  if (node.$ref === undefined) return node;
  return { ...resolve(schema, schema.definitions[definitionOf(node)]), ...node };
}

export function definitionOf({ $ref }) {
  return $ref.replace('#/definitions/', '');
}
