import { explain, topics } from '../../explain/explain.ts';
import { formatExplanation, formatTopics } from '../../explain/format-page.ts';
import { createPaint, wantsColor } from '../../report/format.ts';
import { toSafeJson } from '../../report/sanitize.ts';

/** Lines longer than that are hard to read. */
const MAX_WIDTH = 100;

/** `criu-flow explain`: one word, or all that there are. @returns 0 @throws FlowError USAGE */
export async function explainCommand(
  word: string | undefined,
  options: { readonly json: boolean },
): Promise<number> {
  const format = {
    paint: createPaint(wantsColor(process.env, process.stdout)),
    width: Math.min(process.stdout.columns ?? MAX_WIDTH, MAX_WIDTH),
  };
  if (word === undefined) {
    const all = topics();
    process.stdout.write(`${options.json ? toSafeJson(all) : formatTopics(all, format)}\n`);
    return 0;
  }
  const explanation = await explain(word);
  process.stdout.write(
    `${options.json ? toSafeJson(explanation) : formatExplanation(explanation, format)}\n`,
  );
  return 0;
}
