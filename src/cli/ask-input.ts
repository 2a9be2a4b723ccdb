import { FlowError } from '../errors/flow-error.ts';
import type { AskInput } from '../plan/inputs.ts';
import { printable } from '../recipe/printable.ts';

/**
 * Asks for missing inputs where a person sits: standard input and standard error are a terminal, and it is no CI.
 * @returns nothing where nobody would answer
 */
export function askOnTerminal(): AskInput | undefined {
  if (!process.stdin.isTTY || !process.stderr.isTTY || process.env['CI'] !== undefined) return undefined;
  return askOne;
}

const askOne: AskInput = async ({ name, input, choices, problem }) => {
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // ^C, and ^D, which closes the terminal without an answer.
  const given = new AbortController();
  terminal.once('SIGINT', () => given.abort());
  terminal.once('close', () => given.abort());
  try {
    if (problem) process.stderr.write(`${printable(problem.message)}${hintOf(problem.hint)}\n`);
    const kind = choices?.join(', ') ?? input.type;
    const about = input.description === undefined ? kind : `${input.description}; ${kind}`;
    return await terminal.question(`${name} (${printable(about)}): `, { signal: given.signal });
  } catch (error) {
    if (!given.signal.aborted) throw error;
    throw new FlowError('INTERRUPTED', 'No answer was given, and nothing was done', {
      hint: `Inputs can be given on the command line too: -i ${name}=…`,
      cause: error,
    });
  } finally {
    terminal.close();
  }
};

function hintOf(hint: string | undefined): string {
  return hint === undefined ? '' : ` (${printable(hint)})`;
}
