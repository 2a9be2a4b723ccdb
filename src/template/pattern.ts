import vm from 'node:vm';

/** Milliseconds that a pattern may take: a thousand times what a plain one does. */
const PATTERN_MS = 100;

/** Whether a text is a regular expression: one of JavaScript, with the flag `u`. */
export function isPattern(pattern: string): boolean {
  try {
    return new RegExp(pattern, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

/**
 * Whether a pattern matches somewhere in a text.
 * @returns undefined when there is no answer in time: a recipe from elsewhere must not keep anybody waiting
 */
export function matchesPattern(pattern: string, text: string): boolean | undefined {
  try {
    const isMatch: unknown = vm.runInNewContext(
      'new RegExp(pattern, "u").test(text)',
      { pattern, text },
      { timeout: PATTERN_MS },
    );
    return isMatch === true;
  } catch {
    return undefined;
  }
}

/** The pattern that matches what this one matches from the first character to the last. */
export function wholePattern(pattern: string): string {
  return `^(?:${pattern})$`;
}
