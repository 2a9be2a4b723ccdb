import type { RecipeKey } from './recipe-keys.ts';

/** What `criu-flow explain` says of one word. */
export type Page = StepPage | InputTypePage | FindingPage | ErrorPage | ExitCodePage | KeyPage;

export interface StepPage {
  readonly kind: 'step';
  readonly name: string;
  readonly description: string;
  /** The lists of steps in which it may stand. */
  readonly stands: readonly string[];
  /** What a rollback does about it, in order. */
  readonly undo: readonly string[];
  readonly keys: readonly RecipeKey[];
  readonly example: unknown;
}

export interface InputTypePage {
  readonly kind: 'input-type';
  readonly name: string;
  readonly description: string;
  /** An input of the type, by its name. */
  readonly example: Readonly<Record<string, unknown>>;
  /** The words that give it on the command line. */
  readonly argv: readonly string[];
}

export interface FindingPage {
  readonly kind: 'finding';
  readonly name: string;
  readonly means: string;
  /** What becomes of a run that goes past it; undefined where none may. */
  readonly ifAllowed?: string;
}

export interface ErrorPage {
  readonly kind: 'error';
  readonly name: string;
  readonly means: string;
  readonly cure: string;
  readonly exitCode?: number;
}

export interface ExitCodePage {
  readonly kind: 'exit-code';
  readonly name: string;
  readonly means: string;
  readonly workload: string;
  readonly cure: string;
}

export interface KeyPage extends RecipeKey {
  readonly kind: 'key';
}
