import { type Diagnostic } from './diagnostic.ts';
import { toDiagnostics, type ValidRecipe } from './finding.ts';
import { inputFindings } from './input-findings.ts';
import { orderFindings } from './order-findings.ts';
import { overlapFindings } from './overlap-findings.ts';
import { parseRecipe } from './parse.ts';
import { readRecipeFile } from './read-recipe.ts';
import { probeFindings } from './probe-findings.ts';
import { assertValid, schemaFindings } from './schema-findings.ts';
import { stepFindings } from './step-findings.ts';
import { valueFindings } from './template-findings.ts';

/** What is wrong with a recipe, and the recipe when nothing is that hinders a run. */
export interface CheckedRecipe {
  readonly recipe?: ValidRecipe;
  /** Errors and warnings, in the order of the file. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Checks a recipe as far as it can be without inputs. Each stage needs the one before it: the first that finds an
 * error is the last, since what follows would mostly be its echo.
 * @throws FlowError RECIPE_NOT_FOUND
 */
export async function checkRecipe(recipe: string, cwd: string): Promise<CheckedRecipe> {
  const { source, diagnostics: unreadable } = await readRecipeFile(recipe, cwd);
  if (unreadable.length > 0) return { diagnostics: unreadable };
  const { parsed, diagnostics } = parseRecipe(source);
  if (!parsed) return { diagnostics };
  const invalid = schemaFindings(parsed);
  if (invalid.length > 0) return { diagnostics: toDiagnostics(parsed, invalid) };
  assertValid(parsed, invalid);
  const { data } = parsed;
  const order = orderFindings(data.steps);
  const findings = [
    ...inputFindings(data),
    ...valueFindings(data),
    // What is before the commit is not known of steps that are in no order.
    ...(order.length > 0 ? order : [...stepFindings(data), ...probeFindings(data)]),
    ...overlapFindings(data),
  ];
  const errors = findings.filter((finding) => finding.severity !== 'warning');
  // A warning beside an error is mostly its echo: the reader of an input that nothing reads is misspelt.
  if (errors.length > 0) return { diagnostics: toDiagnostics(parsed, errors) };
  return { recipe: parsed, diagnostics: toDiagnostics(parsed, findings) };
}
