import { readFileSync } from 'node:fs';
import { packageFile } from '../package/package-file.ts';

/** What this product uses of a JSON schema. */
export interface SchemaNode {
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  /** One for each of `enum`; editors show them too. */
  readonly enumDescriptions?: readonly string[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly examples?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode;
  readonly oneOf?: readonly SchemaNode[];
  readonly else?: SchemaNode;
}

export interface RecipeSchema extends SchemaNode {
  readonly definitions: Readonly<Record<string, SchemaNode>>;
}

/** The schema of recipes. */
export function readRecipeSchema(): RecipeSchema {
  return JSON.parse(read('recipe.schema.json')) as RecipeSchema;
}

/** The text of the schema that takes the same documents, and says so as editors show it well. */
export function editorSchemaText(document: 'recipe' | 'inventory'): string {
  return read(`editor/${document}.schema.json`);
}

function read(file: string): string {
  return readFileSync(packageFile(`schemas/${file}`), 'utf8');
}

/**
 * A node with what it refers to; the words beside a `$ref` hide those of its target, as editors show it. Its own `$ref` is
 * that of the last target.
 */
export function resolveNode(schema: RecipeSchema, node: SchemaNode): SchemaNode {
  const target = schema.definitions[definitionOf(node) ?? ''];
  if (target === undefined) return node;
  const resolved = resolveNode(schema, target);
  return { ...resolved, ...node, $ref: resolved.$ref ?? node.$ref ?? '' };
}

/** The name of the definition that a node refers to. */
export function definitionOf(node: SchemaNode): string | undefined {
  return node.$ref?.replace('#/definitions/', '');
}
