import { isAbsolute, relative, resolve } from 'node:path';
import { FlowError } from '../errors/flow-error.ts';
import { type Diagnostic, diagnosticAt } from './diagnostic.ts';
import type { ParsedRecipe } from './finding.ts';
import { parseRecipe } from './parse.ts';
import { RecipeError } from './recipe-error.ts';
import { readSource, whyNotReadable } from './read-source.ts';

/** A file of inputs that YAML could read: `name: value`, one for each input. */
export interface InputsFile extends Omit<ParsedRecipe, 'data'> {
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * Reads a file of inputs, as `--inputs FILE` names it.
 * @throws FlowError USAGE when it cannot be read; RecipeError INPUT_INVALID when it is not a mapping
 */
export async function readInputs(file: string, cwd: string): Promise<InputsFile> {
  const path = resolve(cwd, file);
  const name = isAbsolute(file) ? path : relative(cwd, path);
  const { source, diagnostics } = await readSource(path, name, 'file of inputs').catch((error: unknown) => {
    if (error instanceof FlowError) throw error;
    throw new FlowError('USAGE', `The inputs in ${name} cannot be read: ${whyNotReadable(error)}`, {
      cause: error,
    });
  });
  refuse(diagnostics);
  const { parsed, diagnostics: mistakes } = parseRecipe(source);
  refuse(mistakes);
  if (!parsed) throw new Error('a file of inputs without a mistake could not be read');
  const { data } = parsed;
  if (!isMapping(data)) {
    const hint = 'Write `name: value`, one on each line.';
    refuse([diagnosticAt(source, [0, 1], { code: 'input', message: 'These are not inputs', hint })]);
    throw new Error('unreachable');
  }
  return { ...parsed, data };
}

function refuse([first, ...others]: readonly Diagnostic[]): void {
  if (first) throw new RecipeError('INPUT_INVALID', [first, ...others]);
}

function isMapping(data: unknown): data is Readonly<Record<string, unknown>> {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}
