import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { FlowError } from '../errors/flow-error.ts';
import { quoteArguments } from '../host/quote.ts';

/**
 * Writes a recipe to a file that is not there yet: one that is there is somebody's.
 * @param otherwise the command that names another file
 * @throws FlowError USAGE when the file is there, or cannot be written
 */
export async function writeNewRecipe(
  file: string,
  text: string,
  otherwise: readonly string[],
): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (error) {
    throw notWritten(file, otherwise, error);
  }
}

/** The same refusal, before anything is asked. @throws FlowError USAGE */
export function requireNoFile(file: string, otherwise: readonly string[]): void {
  if (existsSync(file)) throw notWritten(file, otherwise, Object.assign(new Error(), { code: 'EEXIST' }));
}

/** A file as other commands of criu-flow take it: a bare name is a bundled recipe, and a dash begins an option. */
export function recipeArgument(file: string): string {
  const isPath = !file.startsWith('-') && (file.includes('/') || /\.ya?ml$/.test(file));
  const path = isPath ? file : `./${file}`;
  return quoteArguments([path]);
}

function notWritten(file: string, otherwise: readonly string[], cause: unknown): FlowError {
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const isThere = reason === 'EEXIST';
  return new FlowError(
    'USAGE',
    isThere
      ? `${file} is there already, and was left as it is`
      : `${file} cannot be written: ${WHY[reason] ?? reason}`,
    {
      hint: isThere ? 'Name another file, or remove that one.' : 'Name a file where you may write.',
      command: quoteArguments(otherwise),
      cause,
    },
  );
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'its directory is not there',
  ENOTDIR: 'a part of its path is not a directory',
  EACCES: 'you may not write there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
};
