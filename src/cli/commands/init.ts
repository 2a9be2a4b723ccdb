import { createInterface } from 'node:readline/promises';
import { FlowError } from '../../errors/flow-error.ts';
import { type InitAnswers, INIT_QUESTIONS, type InitQuestion, newRecipe } from '../../recipe/new-recipe.ts';
import { code, printable } from '../../recipe/printable.ts';
import { didYouMean } from '../../recipe/suggest.ts';
import { checkValue, type ValueProblem } from '../../recipe/values.ts';
import { recipeArgument, requireNoFile, writeNewRecipe } from '../new-recipe-file.ts';

/**
 * `criu-flow init`: asks what is to be moved, and writes a recipe of it. Answers are lines of the standard input: a person's, or
 * a file's.
 * @throws FlowError USAGE when the file is there, or an answer that no person can correct will not do; INTERRUPTED
 */
export async function initCommand(file: string): Promise<number> {
  const otherwise = ['criu-flow', 'init', './my-recipe.yaml'];
  requireNoFile(file, otherwise);
  await writeNewRecipe(file, newRecipe(await askAll()), otherwise);
  const argument = recipeArgument(file);
  const next = [
    ['validate', 'names each mistake, asks no host'],
    ['plan', 'shows what a run does, asks no host'],
    ['run --check', 'asks both hosts, changes nothing'],
    ['run', 'does it'],
  ];
  const lines = next.map(
    ([verb, words]) => `  criu-flow ${verb} ${argument}`.padEnd(26 + argument.length) + words,
  );
  process.stdout.write(`${printable(file)} is written. Read it, then:\n${lines.map(printable).join('\n')}\n`);
  return 0;
}

async function askAll(): Promise<InitAnswers> {
  const isPerson = process.stdin.isTTY;
  // Without an output nothing of what a person types would be seen: a terminal leaves that to readline.
  const terminal = createInterface({ input: process.stdin, output: process.stderr, terminal: isPerson });
  const lines = terminal[Symbol.asyncIterator]();
  const answers: Record<string, string> = {};
  try {
    for (const question of INIT_QUESTIONS) {
      if (question.isAsked?.(answers) === false) continue;
      for (;;) {
        terminal.setPrompt(`${describe(question)} `);
        terminal.prompt();
        const line = await lines.next();
        if (line.done === true) throw interrupted(question);
        const answer = line.value.trim() === '' ? (question.preset ?? '') : line.value.trim();
        const problem = problemOf(question, answer);
        if (!problem) {
          answers[question.name] = answer;
          break;
        }
        const { message, hint } = problem;
        if (!isPerson) throw new FlowError('USAGE', message, hint === undefined ? {} : { hint });
        process.stderr.write(`${printable(message)}${hint === undefined ? '' : ` (${printable(hint)})`}\n`);
      }
    }
    return answers;
  } finally {
    terminal.close();
  }
}

function describe({ question, kind, preset }: InitQuestion): string {
  const words = typeof kind === 'string' ? '' : ` (${kind.join(', ')})`;
  return `${question}${words}${preset === undefined ? '' : ` [${preset}]`}:`;
}

function problemOf(
  { question, kind, isOptional, isList }: InitQuestion,
  answer: string,
): ValueProblem | undefined {
  if (answer === '')
    return isOptional === true ? undefined : { message: 'An answer is needed here', hint: question };
  if (typeof kind !== 'string') {
    if (kind.includes(answer)) return undefined;
    return { message: `It cannot be ${code(answer)}`, hint: didYouMean(answer, kind, 'answers') };
  }
  const values = isList === true ? answer.split(',').map((each) => each.trim()) : [answer];
  return values.map((value) => checkValue('It', kind, value)).find((problem) => problem !== undefined);
}

function interrupted({ question }: InitQuestion): FlowError {
  return new FlowError(
    'INTERRUPTED',
    'The questions were not answered to their end, and nothing was written',
    {
      hint: `The next one is: ${question}`,
    },
  );
}
