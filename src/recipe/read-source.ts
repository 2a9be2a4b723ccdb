import { constants, open } from 'node:fs/promises';
import { FlowError } from '../errors/flow-error.ts';
import { decodeRecipe, MAX_RECIPE_BYTES, tooLarge } from './decode.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { SourceFile, SourceNoun } from './source-file.ts';

/**
 * Reads a file of YAML.
 * @param name what messages call the file
 * @throws FlowError RECIPE_NOT_FOUND for what is not a file; what node:fs throws
 */
export async function readSource(
  path: string,
  name: string,
  noun: SourceNoun,
): Promise<{ readonly source: SourceFile; readonly diagnostics: readonly Diagnostic[] }> {
  // Not to wait for the writer of a pipe, which is refused anyway.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new FlowError('RECIPE_NOT_FOUND', `${name} is not a file`);
    if (status.size > MAX_RECIPE_BYTES) return tooLarge(name, status.size, noun);
    return decodeRecipe(name, await file.readFile(), noun);
  } finally {
    await file.close();
  }
}

/** Why a file cannot be read, in words. */
export function whyNotReadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return WHY[code] ?? code;
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'you may not read it',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is not a directory',
};
