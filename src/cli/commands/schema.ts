import { editorSchemaText } from '../../recipe/recipe-schema.ts';

/** `criu-flow schema`: the JSON schema of a recipe or an inventory, for editors. @returns 0 */
export function schemaCommand(document: 'recipe' | 'inventory'): number {
  process.stdout.write(editorSchemaText(document));
  return 0;
}
