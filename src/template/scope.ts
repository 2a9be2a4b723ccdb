import type { TemplateType, TemplateValue } from './filters.ts';

/** What a step that registers its result leaves for later ones: `{{ results.NAME.stdout }}`. */
export interface StepResult {
  /** What it printed, at most 64 KiB, without the line feeds at the end. */
  readonly stdout: string;
  readonly stderr: string;
  /** -1 when it was skipped, or did not come to its end. */
  readonly exitCode: number;
  readonly status: 'done' | 'failed' | 'skipped';
}

/** The parts of a result, and what each is. */
export const RESULT_PARTS: Readonly<Record<keyof StepResult, TemplateType>> = {
  stdout: 'text',
  stderr: 'text',
  exitCode: 'number',
  status: 'text',
};

/** What a template may read, before anything of it has a value. */
export interface TemplateScope {
  readonly inputs: ReadonlyMap<string, TemplateType>;
  /** The names under which earlier steps register their results. */
  readonly results: ReadonlySet<string>;
  /** Whether the step has `forEach`, and so an `item`. */
  readonly hasItem: boolean;
}

/** What a template reads, once it is rendered. */
export interface TemplateValues {
  readonly inputs: ReadonlyMap<string, TemplateValue>;
  readonly results?: ReadonlyMap<string, StepResult>;
  readonly item?: string | undefined;
}

/** The scope in which all values are known. */
export function scopeOf({ inputs, results, item }: TemplateValues): TemplateScope {
  return {
    inputs: new Map([...inputs].map(([name, value]) => [name, typeOf(value)])),
    results: new Set(results?.keys()),
    hasItem: item !== undefined,
  };
}

export function typeOf(value: TemplateValue): TemplateType {
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
      return 'number';
    case 'boolean':
      return 'bool';
    default:
      return 'list';
  }
}
