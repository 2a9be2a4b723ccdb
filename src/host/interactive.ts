/**
 * Runs a program of this machine with this terminal as its input and output, and waits for it.
 * @returns its exit code; 128 + N after signal N, 127 when there is no such program
 */
export async function runInteractive(argv: readonly string[]): Promise<number> {
  const [{ execa }, { constants }] = await Promise.all([import('execa'), import('node:os')]);
  const [program = '', ...rest] = argv;
  const result = await execa(program, rest, { stdio: 'inherit', reject: false });
  if (result.exitCode !== undefined) return result.exitCode;
  return result.signal === undefined ? 127 : 128 + constants.signals[result.signal];
}
