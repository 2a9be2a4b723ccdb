import { formatDiagnostics } from '../../recipe/diagnostic.ts';
import { validateRecipe } from '../../plan/load-plan.ts';

/** `criu-flow validate`: every mistake of every recipe. @returns the exit code */
export async function validateCommand(recipes: readonly string[]): Promise<number> {
  const color = process.stdout.isTTY === true && !process.env['NO_COLOR'];
  let exitCode = 0;
  for (const recipe of recipes) {
    const diagnostics = await validateRecipe({ recipe, cwd: process.cwd() });
    if (diagnostics.some(({ severity }) => severity === 'error')) exitCode = 3;
    const text = diagnostics.length === 0 ? `${recipe}: ok` : formatDiagnostics(diagnostics, { color });
    process.stdout.write(`${text}\n`);
  }
  return exitCode;
}
