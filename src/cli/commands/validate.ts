import { FlowError } from '../../errors/flow-error.ts';
import { validateRecipe } from '../../plan/load-plan.ts';
import { type Diagnostic, formatDiagnostics } from '../../recipe/diagnostic.ts';

/** For people, for programs, for annotations of GitHub. */
export type ValidateFormat = 'text' | 'json' | 'github';

/** What was found in one file. */
interface ValidatedRecipe {
  readonly file: string;
  readonly diagnostics: readonly Diagnostic[];
  /** It was not there, or could not be read. */
  readonly isMissing: boolean;
}

/** Files that are read at once: enough to keep the disk busy, and far below what a process may open. */
const AT_ONCE = 32;

/** `criu-flow validate`: every mistake of every recipe. @returns the exit code */
export async function validateCommand(
  recipes: readonly string[],
  { format }: { readonly format: ValidateFormat },
): Promise<number> {
  const validated: ValidatedRecipe[] = [];
  for (let from = 0; from < recipes.length; from += AT_ONCE) {
    validated.push(...(await Promise.all(recipes.slice(from, from + AT_ONCE).map(validateOne))));
  }
  process.stdout.write(await FORMATTERS[format](validated));
  if (validated.some(({ isMissing }) => isMissing)) return 2;
  return validated.every(isValid) ? 0 : 3;
}

async function validateOne(recipe: string): Promise<ValidatedRecipe> {
  try {
    const diagnostics = await validateRecipe({ recipe, cwd: process.cwd() });
    return { file: recipe, diagnostics, isMissing: false };
  } catch (error) {
    // One that is not there keeps nobody from hearing of the others.
    if (!(error instanceof FlowError) || error.code !== 'RECIPE_NOT_FOUND') throw error;
    const { message, hint } = error;
    const diagnostic: Diagnostic = {
      ...{ severity: 'error', code: 'file', message, excerpt: [] },
      ...(hint === undefined ? {} : { hint }),
      location: { file: recipe, line: 1, column: 1 },
    };
    return { file: recipe, diagnostics: [diagnostic], isMissing: true };
  }
}

/** A warning hinders no run. */
function isValid({ diagnostics }: ValidatedRecipe): boolean {
  return diagnostics.every(({ severity }) => severity !== 'error');
}

const FORMATTERS: Readonly<
  Record<ValidateFormat, (validated: readonly ValidatedRecipe[]) => Promise<string>>
> = { text: toText, json: toJson, github: toAnnotations };

async function toText(validated: readonly ValidatedRecipe[]): Promise<string> {
  const [{ wantsColor }, { sanitizeLine }] = await Promise.all([
    import('../../report/format.ts'),
    import('../../report/sanitize.ts'),
  ]);
  const color = wantsColor(process.env, process.stdout);
  return validated
    .map(({ file, diagnostics }) =>
      diagnostics.length === 0
        ? `${sanitizeLine(file)}: ok\n`
        : `${formatDiagnostics(diagnostics, { color })}\n`,
    )
    .join('');
}

async function toJson(validated: readonly ValidatedRecipe[]): Promise<string> {
  const { toSafeJson } = await import('../../report/sanitize.ts');
  const files = validated.map((each) => ({
    file: each.file,
    valid: isValid(each),
    findings: each.diagnostics.map(({ code, severity, message, hint, location }) => {
      const { file, line, column } = location;
      return { code, severity, message, ...(hint === undefined ? {} : { hint }), file, line, column };
    }),
  }));
  return `${toSafeJson(files)}\n`;
}

async function toAnnotations(validated: readonly ValidatedRecipe[]): Promise<string> {
  const { formatAnnotations } = await import('../../recipe/annotations.ts');
  return validated
    .filter(({ diagnostics }) => diagnostics.length > 0)
    .map(({ diagnostics }) => `${formatAnnotations(diagnostics)}\n`)
    .join('');
}
