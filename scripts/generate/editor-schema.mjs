import { stringify } from 'yaml';
import { definitionOf, mapSchema, resolve } from './map-schema.mjs';

/**
 * The schema for editors: it takes the same recipes, and says so with what the yaml-language-server shows well.
 *
 * - It does not know `discriminator`: of a `oneOf` of steps it offers only those that need nothing else. As a chain of
 *   `if`, the type decides, and each mistake is told of the step that was meant.
 * - It would offer examples that are mappings as `[object Object]`: they go into the text that it shows.
 * - It shows no defaults by itself.
 */
export function editorSchema(schema) {
  const { $id: _, ...rest } = schema;
  const editor = mapSchema(rest, (node, path) => {
    const told = withWords(schema, withConst(withOwnType(schema, node, path)));
    return withTitle(withChoice(withStepType(schema, told)), path);
  });
  const sequence = editor.then.else;
  return {
    ...editor,
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
    then: { ...editor.then, else: { ...sequence, else: withoutWords(sequence.else) } },
    else: { ...editor.else, else: withoutWords(editor.else.else) },
    defaultSnippets: [BEGINNING],
  };
}

/** The words of what is needed are those of the keys: here they would be a second beginning. What may not be there stays. */
function withoutWords({ properties, ...needed }) {
  const refused = Object.entries(properties).filter(([, node]) => node === false);
  return refused.length === 0 ? needed : { ...needed, properties: Object.fromEntries(refused) };
}

/** The same of an inventory. */
export function editorInventory(schema) {
  const { $id: _, ...rest } = schema;
  return mapSchema(rest, (node, path) => withTitle(withWords(schema, node), path));
}

/** What a recipe needs depends on what it extends: the server would begin one with what all of them need. */
const BEGINNING = {
  label: 'A move of one process',
  description: 'What a recipe has at least, to be filled in.',
  body: {
    version: 1,
    name: '${1:Move a process to another host}',
    hosts: { source: '${2:root@a}', destination: '${3:root@b}' },
    workload: { process: { pidFile: '${4:/run/service.pid}' } },
    steps: ['preflight', 'dump', 'transfer/rsync', 'restore'].map((uses) => ({ uses })),
  },
};

/** `uses` of a step type says what that type does. */
function withOwnType(schema, node, path) {
  const [place, name, , key] = path;
  if (place !== 'definitions' || key !== 'uses' || path.length > 4) return node;
  const isStepType = Object.values(schema.definitions).some(
    ({ discriminator, oneOf }) => discriminator && oneOf.some((member) => definitionOf(member) === name),
  );
  return isStepType ? { ...node, description: schema.definitions[name].description } : node;
}

/** The one value is written into the recipe if it has a type and no other proposal. */
function withConst(node) {
  const { examples: _, ...rest } = node;
  return node.const === undefined
    ? node
    : { ...rest, type: typeof node.const === 'number' ? 'integer' : 'string' };
}

/** One of some step types: `uses` first, with what each of them does, and then the rules of the one that it names. */
function withStepType(schema, node) {
  const { discriminator, oneOf, ...rest } = node;
  if (discriminator === undefined) return node;
  const key = discriminator.propertyName;
  const types = oneOf.map((member) => ({
    member,
    name: resolve(schema, member).properties[key].const,
    description: resolve(schema, member).description,
  }));
  return {
    ...rest,
    properties: {
      [key]: withWords(schema, {
        description: 'The step type.',
        enum: types.map(({ name }) => name),
        enumDescriptions: types.map(({ description }) => description),
      }),
    },
    allOf: types.map(({ member, name }) => ({
      if: { properties: { [key]: { const: name } }, required: [key] },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
      then: member,
    })),
  };
}

/** "Exactly one of these keys": what is missing, or which one is too much, at its place. */
function withChoice(node) {
  const names = choiceOf(node);
  if (names === undefined) return node;
  const { oneOf: _, minProperties: _min, maxProperties: _max, dependencies = {}, ...rest } = node;
  const [first, ...others] = names;
  const exclusions = names.slice(0, -1).map((name, index) => {
    const later = names.slice(index + 1).map((other) => [other, false]);
    return [name, { properties: Object.fromEntries(later) }];
  });
  const isThere = others.reduce((orElse, name) => ({ if: { required: [name] }, else: orElse }), {
    required: [first],
  });
  return { ...rest, ...isThere, dependencies: { ...dependencies, ...Object.fromEntries(exclusions) } };
}

function choiceOf({ oneOf, minProperties, maxProperties, properties }) {
  if (minProperties === 1 && maxProperties === 1) return Object.keys(properties);
  const isChoice = oneOf?.every((member) => Object.keys(member).join() === 'required');
  return isChoice ? oneOf.flatMap(({ required }) => required) : undefined;
}

/** What an editor shows of a key: its description, default and examples, as Markdown. */
function withWords(schema, node) {
  const { enumDescriptions, pattern, examples, ...rest } = node;
  const whole = resolve(schema, node);
  const hasWords = ['description', 'default', 'examples'].some((keyword) => node[keyword] !== undefined);
  const offered = examples?.filter((example) => !isStructure(example)) ?? [];
  return {
    ...rest,
    ...(hasWords ? { markdownDescription: markdownOf(whole) } : {}),
    ...(offered.length > 0 ? { examples: offered } : {}),
    ...(enumDescriptions ? { enumDescriptions, markdownEnumDescriptions: enumDescriptions } : {}),
    ...(pattern === undefined
      ? {}
      : { pattern, patternErrorMessage: `This does not fit. ${whole.description ?? ''}`.trim() }),
  };
}

function markdownOf({ description, default: value, examples = [] }) {
  return [
    description,
    ...(value === undefined ? [] : [`Default: \`${Array.isArray(value) ? JSON.stringify(value) : value}\``]),
    ...examples
      .filter(isStructure)
      .map((example) => `Example:\n\n\`\`\`yaml\n${stringify(example, { lineWidth: 0 })}\`\`\``),
  ].join('\n\n');
}

/** A mapping, or a list with one: more than a completion can write. */
function isStructure(value) {
  return typeof value === 'object' && (!Array.isArray(value) || value.some(isStructure));
}

/** The heading over what is shown of a key is the title of the mapping that it is in. */
function withTitle(node, path) {
  if (path.at(-1) === 'propertyNames') return { title: 'name', ...node };
  const [place, name] = (path.at(-1) === 'items' ? path.slice(0, -1) : path).slice(-2);
  if (node.title !== undefined || node.properties === undefined) return node;
  if (place !== 'properties' && place !== 'definitions') return node;
  return { title: name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`), ...node };
}
