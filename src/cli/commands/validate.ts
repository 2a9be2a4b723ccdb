import { wantsColor } from '../../report/format.ts';
import { formatDiagnostics } from '../../recipe/diagnostic.ts';
import { validateRecipe } from '../../plan/load-plan.ts';

/** `criu-flow validate`: every mistake of every recipe. @returns the exit code */
export async function validateCommand(recipes: readonly string[]): Promise<number> {
  const color = wantsColor(process.env, process.stdout);
  let exitCode = 0;
  for (const recipe of recipes) {
    const diagnostics = await validateRecipe({ recipe, cwd: process.cwd() });
    if (diagnostics.some(({ severity }) => severity === 'error')) exitCode = 3;
    const text = diagnostics.length === 0 ? `${recipe}: ok` : formatDiagnostics(diagnostics, { color });
    process.stdout.write(`${text}\n`);
  }
  return exitCode;
}
