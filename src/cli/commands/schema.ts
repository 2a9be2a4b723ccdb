import { editorSchemaText } from '../../recipe/recipe-schema.ts';

/** `criu-flow schema`: the JSON schema of a recipe, for editors. @returns 0 */
export function schemaCommand(): number {
  process.stdout.write(editorSchemaText());
  return 0;
}
