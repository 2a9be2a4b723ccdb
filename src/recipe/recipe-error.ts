import { FlowError, type ErrorCode } from '../errors/flow-error.ts';
import type { Diagnostic } from './diagnostic.ts';

/** A recipe that cannot be used. Its message is the first mistake; `diagnostics` has all of them. */
export class RecipeError extends FlowError {
  readonly diagnostics: readonly Diagnostic[];

  constructor(
    code: Extract<ErrorCode, 'RECIPE_INVALID' | 'INPUT_INVALID'>,
    diagnostics: readonly [Diagnostic, ...Diagnostic[]],
  ) {
    const [first] = diagnostics;
    super(code, first.message, {
      location: first.location,
      ...(first.hint === undefined ? {} : { hint: first.hint }),
    });
    this.name = 'RecipeError';
    this.diagnostics = diagnostics;
  }
}
