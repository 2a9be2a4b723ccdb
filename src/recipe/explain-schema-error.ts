import type validator from '../../schemas/recipe.validator.generated.cjs';
import { kindAt } from './fields.ts';
import type { Finding } from './finding.ts';
import { describePath, type Path } from './path.ts';
import { code, show } from './printable.ts';
import type { Step } from './recipe.generated.ts';
import { didYouMean, suggest } from './suggest.ts';
import { checkValue, type ValueKind } from './values.ts';

type SchemaError = validator.SchemaError;

/** What a schema is of. */
export interface DocumentKind {
  readonly noun: 'recipe' | 'inventory';
  /** What to write first. */
  readonly beginning: string;
  /** The meaning of a scalar, where the schema does not say it all. */
  readonly kindAt: (path: Path) => ValueKind | undefined;
}

export const RECIPE: DocumentKind = {
  noun: 'recipe',
  beginning: 'A recipe begins with `version: 1`.',
  kindAt,
};

export const INVENTORY: DocumentKind = {
  noun: 'inventory',
  beginning: 'An inventory begins with `version: 1`, and has `hosts`.',
  kindAt: () => undefined,
};

/** What the schema says of the value at a path, in words for people who write them; none for an echo. */
export function explainSchemaError(
  error: SchemaError,
  path: Path,
  document: DocumentKind,
  data: unknown,
): Finding[] {
  const where = path.length === 0 ? `The ${document.noun}` : describePath(path);
  const about = error.parentSchema?.description;
  switch (error.keyword) {
    case 'additionalProperties':
      return [unknownKey(error, path, document)];
    case 'propertyNames': {
      const name = String(error.params['propertyName']);
      const what = NAMED[String(path.at(-1))] ?? 'an input';
      const message = `${name === '' ? 'An empty text' : code(name)} cannot be the name of ${what}`;
      const rule = error.parentSchema?.propertyNames?.description;
      const hint =
        rule === undefined ? undefined : `A name is ${rule.charAt(0).toLowerCase()}${rule.slice(1)}`;
      return [{ path: [...path, name], at: 'key', code: 'unknown-key', message, hint }];
    }
    case 'required': {
      const name = String(error.params['missingProperty']);
      if (name === 'uses') return [withoutUses(path, where, error.data)];
      return [missing(path, `${where} needs the key ${code(name)}`, keyOf(error, name)?.description)];
    }
    case 'dependencies': {
      const [key, needed] = [String(error.params['property']), String(error.params['missingProperty'])];
      const hint = keyOf(error, key)?.description;
      const message = `${code(key)} needs ${code(needed)} beside it`;
      return [{ path: [...path, key], at: 'key', code: 'missing-key', message, ...(hint ? { hint } : {}) }];
    }
    case 'oneOf': {
      const members = error.parentSchema?.oneOf?.flatMap((member) => member.required ?? []) ?? [];
      return members.length === 0 ? [] : [choice(path, where, members, error.data)];
    }
    case 'false schema': {
      return [
        { path, at: 'key', code: 'unknown-key', ...keyOfAnotherKind(String(path.at(-1)), Object(data).kind) },
      ];
    }
    case 'minProperties':
    case 'maxProperties':
      return [choice(path, where, Object.keys(error.parentSchema?.properties ?? {}), error.data)];
    case 'minItems':
      return [wrong(path, `${where} needs at least one item`, about)];
    case 'discriminator': {
      const name = error.params['tagValue'];
      if (name === undefined) return [];
      if (typeof name === 'string' && STEP_TYPES.includes(name)) {
        const [place, holds] = placeOf(path);
        const hint = `The steps of the move stand at the top, one after the other. ${holds} what is around them.`;
        return [wrong([...path, 'uses'], `${code(name)} cannot stand in ${place}`, hint)];
      }
      const message =
        typeof name === 'string'
          ? `There is no step type ${code(name)}`
          : `${where}.uses must be a step type, not ${show(name)}`;
      return [wrong([...path, 'uses'], message, didYouMean(textOf(name), STEP_TYPES, 'step types'))];
    }
    case 'const': {
      const expected = show(error.params['allowedValue']);
      return [wrong(path, `${where} must be ${expected}, not ${show(error.data)}`, about)];
    }
    case 'minimum':
    case 'maximum': {
      const { minimum, maximum } = error.parentSchema ?? {};
      if (document.kindAt(path) !== undefined || minimum === undefined || maximum === undefined) break;
      return [wrong(path, `${where} must be from ${minimum} to ${maximum}, not ${show(error.data)}`, about)];
    }
    case 'enum': {
      const known = (error.parentSchema?.enum ?? []).map(String);
      const message = `${where} cannot be ${show(error.data)}`;
      return [wrong(path, message, didYouMean(textOf(error.data), known, 'values'))];
    }
  }
  return [wrongValue(error, path, where, document)];
}

/** What is said of a key at the top that recipes of this kind have not. */
function keyOfAnotherKind(name: string, kind: unknown): Pick<Finding, 'message' | 'hint'> {
  switch (kind) {
    case 'steps':
      return {
        message: `Steps that other recipes use have no ${code(name)}`,
        hint: 'Take it out: the recipe that uses them has it. A whole recipe has no `kind`.',
      };
    case 'sequence':
      return {
        message: `A sequence has no ${code(name)}`,
        hint: 'Take it out: each recipe that it runs has its own.',
      };
    default:
      return {
        message: `Only a recipe of \`kind: sequence\` has ${code(name)}`,
        hint: 'Write `kind: sequence`, or take it out.',
      };
  }
}

/** Where a step stands that may only hold some. */
function placeOf(path: Path): readonly [place: string, holds: string] {
  if (path[0] === 'hooks') return ['a hook', 'A hook holds'];
  if (path.length === 2) return ['steps that other recipes use', 'They hold'];
  return ['a block', 'A block holds'];
}

/** What the names in these mappings are names of. */
const NAMED: Readonly<Record<string, string>> = {
  env: 'a variable',
  retries: 'a retry',
  probes: 'a probe',
  hosts: 'a host',
  groups: 'a group',
  settings: 'a setting',
};

/** The step types, for suggestions: a record, so that the compiler misses none. */
const STEP_TYPES = Object.keys({
  preflight: true,
  dump: true,
  'transfer/rsync': true,
  'transfer/sftp': true,
  'transfer/shared': true,
  'transfer/stream': true,
  'transfer/checkpoint': true,
  restore: true,
  commit: true,
  checkpoint: true,
  verify: true,
  command: true,
  approve: true,
  block: true,
  recipe: true,
} satisfies Record<Step['uses'], true>);

function unknownKey(error: SchemaError, path: Path, { noun }: DocumentKind): Finding {
  const name = String(error.params['additionalProperty']);
  return {
    path: [...path, name],
    at: 'key',
    code: 'unknown-key',
    message: `There is no key ${code(name)} in ${path.length === 0 ? `the ${noun}` : describePath(path)}`,
    hint: didYouMean(name, Object.keys(error.parentSchema?.properties ?? {}), 'keys'),
  };
}

/** `- use: dump`, or `- dump: …` as other tools have it. */
function withoutUses(path: Path, where: string, data: unknown): Finding {
  const keys = Object.keys(data ?? {});
  const misspelt = keys.find((key) => suggest(key, ['uses']) !== undefined);
  const type = keys.find((key) => STEP_TYPES.includes(key));
  if (misspelt !== undefined) {
    const message = `There is no key ${code(misspelt)} in ${where}`;
    return {
      path: [...path, misspelt],
      at: 'key',
      code: 'unknown-key',
      message,
      hint: 'Did you mean `uses`?',
    };
  }
  return missing(
    path,
    `${where} needs the key \`uses\``,
    `It is the step type: \`uses: ${type ?? 'dump'}\`.`,
  );
}

function choice(path: Path, where: string, members: readonly string[], data: unknown): Finding {
  const given = members.filter((name) => Object.hasOwn(Object(data), name));
  const rule = `exactly one of ${members.map(code).join(', ')}`;
  return missing(
    path,
    given.length > 1
      ? `${where} has ${given.map(code).join(' and ')}, and needs ${rule}`
      : `${where} needs ${rule}`,
    given.length > 1 ? `Take ${given.length === 2 ? 'one' : 'all but one'} of them out.` : undefined,
  );
}

/** A value of the wrong type, or one that its pattern or its limits refuse. */
function wrongValue(error: SchemaError, path: Path, where: string, document: DocumentKind): Finding {
  const { data, parentSchema } = error;
  const kind = document.kindAt(path);
  const problem = kind && checkValue(where, kind, data);
  if (problem) return wrong(path, problem.message, problem.hint);
  if (kind !== undefined && typeof data === 'string') {
    // Digits in quotes, where a number is meant: any other text is a problem of its kind.
    return wrong(path, `${where} must be a number, not the text ${show(data)}`, 'Take the quotes away.');
  }
  if (error.keyword !== 'type')
    return wrong(path, `${where} cannot be ${show(data)}`, parentSchema?.description);
  const type = String(error.params['type']);
  return wrong(
    path,
    `${where} must be ${wordsOfTypes(type)}, not ${show(data)}`,
    rewrite(error, path, type) ?? (path.length === 0 ? document.beginning : parentSchema?.description),
  );
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  object: 'a mapping',
  array: 'a list',
  string: 'text',
  integer: 'a whole number',
  boolean: 'true or false',
  null: 'nothing',
};

/** @param types one, or several with commas between, as the validator has them */
function wordsOfTypes(types: string): string {
  return types
    .split(',')
    .map((type) => TYPE_WORDS[type] ?? type)
    .join(', or ');
}

/** How to write what was meant, where that is plain. */
function rewrite({ data, parentSchema }: SchemaError, path: Path, type: string): string | undefined {
  if (type === 'string' && (typeof data === 'number' || typeof data === 'boolean')) {
    return `Write it in quotes: ${code(`'${String(data)}'`)}.`;
  }
  if (typeof data !== 'string') return undefined;
  if (type === 'array') {
    const isArguments = kindAt([...path, 0]) !== undefined;
    return isArguments ? `Write ${code(`[${data.trim().split(/\s+/).join(', ')}]`)}.` : undefined;
  }
  if (STEP_TYPES.includes(data)) return `Write ${code(`uses: ${data}`)}.`;
  const [key, ...others] = parentSchema?.required ?? [];
  return key === undefined || others.length > 0 ? undefined : `Write ${code(`{ ${key}: ${data} }`)}.`;
}

/** Text as it is, for suggestions; a mapping without a prototype has no text of its own. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : show(value);
}

function keyOf(error: SchemaError, name: string): { readonly description?: string } | undefined {
  return error.parentSchema?.properties?.[name];
}

function missing(path: Path, message: string, hint?: string): Finding {
  return { path, at: 'key', code: 'missing-key', message, ...(hint === undefined ? {} : { hint }) };
}

function wrong(path: Path, message: string, hint?: string): Finding {
  return { path, at: 'value', code: 'wrong-value', message, ...(hint === undefined ? {} : { hint }) };
}
