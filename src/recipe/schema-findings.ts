import validator from '../../schemas/recipe.validator.generated.cjs';
import { kindAt } from './fields.ts';
import type { Finding, ParsedRecipe, ValidRecipe } from './finding.ts';
import { describePath, pathKey, type Path } from './path.ts';
import { code, show } from './printable.ts';
import { didYouMean } from './suggest.ts';
import { checkValue } from './values.ts';

type SchemaError = validator.SchemaError;

/** Checks a recipe against schemas/recipe.schema.json; without findings it is a valid one. */
export function schemaFindings(parsed: ParsedRecipe): readonly Finding[] {
  if (validator(parsed.data)) return [];
  const findings = (validator.errors ?? [])
    // What `oneOf` and `if` say is an echo of what their members said.
    .filter((error) => error.keyword !== 'if' && !(error.keyword === 'oneOf' && !isChoice(error)))
    .flatMap((error) => toFinding(error, toPath(error.instancePath, parsed.data)));
  return withoutEchoes(findings);
}

/** Narrows what {@link schemaFindings} found nothing wrong with. */
export function assertValid(
  parsed: ParsedRecipe,
  findings: readonly Finding[],
): asserts parsed is ValidRecipe {
  if (findings.length > 0) throw new Error('the recipe is not valid');
}

/** A `oneOf` of nothing but `required`: exactly one of these keys. */
function isChoice(error: SchemaError): boolean {
  return error.parentSchema?.oneOf?.every((member) => member.required !== undefined) === true;
}

function toFinding(error: SchemaError, path: Path): Finding[] {
  const where = path.length === 0 ? 'The recipe' : describePath(path);
  switch (error.keyword) {
    case 'additionalProperties':
    case 'propertyNames': {
      const name = String(error.params['additionalProperty'] ?? error.params['propertyName']);
      const known = Object.keys(error.parentSchema?.properties ?? {});
      const hint =
        error.keyword === 'propertyNames'
          ? 'A name is a letter, then letters, digits and underscores.'
          : didYouMean(name, known, 'keys');
      const message =
        error.keyword === 'propertyNames'
          ? `${code(name)} cannot be the name of an input`
          : `There is no key ${code(name)} in ${describePath(path)}`;
      return [{ path: [...path, name], at: 'key', code: 'unknown-key', message, hint }];
    }
    case 'required': {
      const name = String(error.params['missingProperty']);
      // The members of a choice are told of at once, below.
      if (error.parentSchema?.description === undefined) return [];
      const about = error.parentSchema.properties?.[name]?.description;
      return [missing(path, `${where} needs the key ${code(name)}`, about)];
    }
    case 'oneOf': {
      const names = (error.parentSchema?.oneOf ?? []).flatMap((member) => member.required ?? []);
      return [missing(path, `${where} needs exactly one of ${names.map(code).join(', ')}`)];
    }
    case 'minProperties':
    case 'maxProperties': {
      const names = Object.keys(error.parentSchema?.properties ?? {});
      return [missing(path, `${where} needs exactly one of ${names.map(code).join(', ')}`)];
    }
    case 'dependentRequired':
      return [
        missing(path, `${where} needs ${code(String(error.params['missingProperty']))} with what it has`),
      ];
    case 'minItems':
      return [value(path, 'wrong-value', `${where} needs at least one item`)];
    case 'discriminator': {
      if (error.params['error'] === 'tag' && error.params['tagValue'] === undefined) {
        return [missing(path, `${where} needs the key \`uses\``, 'The step type, for example `preflight`.')];
      }
      const name = error.params['tagValue'];
      return [
        value(
          [...path, 'uses'],
          'wrong-value',
          `There is no step type ${typeof name === 'string' ? code(name) : show(name)}`,
          didYouMean(String(name), STEP_TYPES, 'step types'),
        ),
      ];
    }
    case 'const':
      return [
        value(
          path,
          'wrong-value',
          `${where} must be ${show(error.params['allowedValue'])}, not ${show(error.data)}`,
        ),
      ];
    case 'enum': {
      const known = (error.parentSchema?.enum ?? []).map(String);
      return [
        value(
          path,
          'wrong-value',
          `${where} cannot be ${show(error.data)}`,
          didYouMean(String(error.data), known, 'values'),
        ),
      ];
    }
    case 'type':
      return [
        value(
          path,
          'wrong-type',
          `${where} must be ${typeWords(error.params['type'])}, not ${show(error.data)}`,
          error.parentSchema?.description,
        ),
      ];
    default: {
      const kind = kindAt(path);
      const problem = kind && checkValue(where, kind, error.data);
      return [
        value(
          path,
          'wrong-value',
          problem?.message ?? `${where} cannot be ${show(error.data)}`,
          problem?.hint ?? error.parentSchema?.description,
        ),
      ];
    }
  }
}

/** The step types, for suggestions. @see schemas/recipe.schema.json */
const STEP_TYPES = ['preflight', 'dump', 'transfer/rsync', 'restore', 'commit', 'verify', 'command'];

const TYPE_WORDS: Readonly<Record<string, string>> = {
  object: 'a mapping',
  array: 'a list',
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: '`true` or `false`',
};

function typeWords(type: unknown): string {
  const types = Array.isArray(type) ? type : String(type).split(',');
  return types.map((each) => TYPE_WORDS[String(each)] ?? String(each)).join(' or ');
}

function missing(path: Path, message: string, hint?: string): Finding {
  return { path, at: 'key', code: 'missing-key', message, ...(hint === undefined ? {} : { hint }) };
}

function value(path: Path, kind: Finding['code'], message: string, hint?: string): Finding {
  return { path, at: 'value', code: kind, message, ...(hint === undefined ? {} : { hint }) };
}

/** One finding for each place; and of a mapping that lacks its keys because one is misspelt, only the misspelling. */
function withoutEchoes(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  const misspelt = new Set(
    findings
      .filter((each) => each.code === 'unknown-key' && each.hint?.startsWith('Did you mean'))
      .map((each) => pathKey(each.path.slice(0, -1))),
  );
  return findings.filter((each) => {
    if (each.code === 'missing-key' && misspelt.has(pathKey(each.path))) return false;
    const key = `${pathKey(each.path)} ${each.message}`;
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/** A JSON pointer as a path: what is an index depends on the data. */
function toPath(pointer: string, data: unknown): Path {
  const path: (string | number)[] = [];
  let at: unknown = data;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(at) ? Number(key) : key);
    at = typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined;
  }
  return path;
}
