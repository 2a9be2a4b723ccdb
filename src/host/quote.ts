import { join } from 'shlex';
import { FlowError } from '../errors/flow-error.ts';

/**
 * Refuses an argument list that cannot reach a program unchanged: an empty list, an empty program name, a program
 * name that begins with `-` (shells read it as an option of `exec`), or a NUL, which ends an argument for execve(2).
 * @throws FlowError INPUT_INVALID
 */
export function assertArguments(argv: readonly string[]): void {
  const program = argv[0];
  if (program === undefined || program === '') {
    throw new FlowError('INPUT_INVALID', 'A command needs the name of a program.');
  }
  if (program.startsWith('-')) {
    throw new FlowError('INPUT_INVALID', `The name of a program cannot begin with "-": ${program}`);
  }
  const position = argv.findIndex((argument) => argument.includes('\0'));
  if (position !== -1) {
    throw new FlowError('INPUT_INVALID', `Argument ${position} of "${program}" contains a NUL character.`, {
      hint: 'No program can receive a NUL character in an argument: remove it.',
    });
  }
}

/**
 * Text that a POSIX shell splits into exactly these arguments.
 * @throws FlowError INPUT_INVALID as {@link assertArguments} does
 */
export function quoteArguments(argv: readonly string[]): string {
  assertArguments(argv);
  return join(argv);
}
