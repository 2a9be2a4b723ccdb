import { resolve } from './map-schema.mjs';

/**
 * A page with its tables written anew: `<!-- keys of recipe.network: begin -->`, up to its `end`, is a table of the keys
 * of that mapping; `values of input.type`, of what a key takes; `types of step`, of step types; `keys of step`, of all
 * their keys. A path begins with `recipe` or with a definition, or with `inventory` and a definition of that.
 */
export function withTables(page, recipeSchema, inventorySchema) {
  const marked = /<!-- (keys|values|types) of (\S+): begin -->\n[^]*?<!-- \1 of \2: end -->/g;
  const filled = page.replaceAll(marked, (_, what, path) => {
    const [schema, inside] = path.startsWith('inventory.')
      ? [inventorySchema, path.slice('inventory.'.length)]
      : [recipeSchema, path];
    const rows = TABLES[what](schema, nodeAt(schema, inside));
    return `<!-- ${what} of ${path}: begin -->\n\n${table(rows)}\n\n<!-- ${what} of ${path}: end -->`;
  });
  const [begins, ends] = [/: begin -->/g, /: end -->/g].map((mark) => page.match(mark)?.length ?? 0);
  const count = page.match(marked)?.length ?? 0;
  if (begins !== count || ends !== count) throw new Error('a table of the page has no end, or no beginning');
  return filled;
}

const TABLES = {
  keys: (schema, node) => (node.discriminator ? stepKeyRows(schema, node) : keyRows(schema, node)),
  values: (_, { enum: values, enumDescriptions }) => [
    ['value', 'what it is'],
    ...values.map((value, index) => [code(value), enumDescriptions[index]]),
  ],
  types: (schema, node) => [
    ['`uses`', 'default `timeout`', 'what it does'],
    ...stepTypes(schema, node).map(({ properties, description }) => [
      code(properties.uses.const),
      code(properties.timeout?.default),
      description,
    ]),
  ],
};

function keyRows(schema, { properties, required: always = [], else: otherwise }) {
  // A recipe that extends none needs more than one that does.
  const required = [...always, ...(otherwise?.else?.required ?? [])];
  return [
    ['key', 'default', 'what it is'],
    ...Object.entries(properties).map(([name, property]) => {
      const node = resolve(schema, property);
      return [code(name), required.includes(name) ? 'needed' : code(node.default), wordsOf(node)];
    }),
  ];
}

/** Each key once, and which step types have it. */
function stepKeyRows(schema, node) {
  const types = stepTypes(schema, node);
  const names = new Set(types.flatMap(({ properties }) => Object.keys(properties)));
  return [
    ['key', 'of', 'default', 'what it is'],
    ...[...names].map((name) => {
      const having = types.filter(({ properties }) => Object.hasOwn(properties, name));
      const of = having.map(({ properties }) => code(properties.uses.const)).join(', ');
      const nodes = having.map(({ properties }) => resolve(schema, properties[name]));
      return [
        code(name),
        having.length === types.length ? 'all' : of,
        common(nodes.map((each) => code(each.default))) ?? 'above',
        common(nodes.map(wordsOf)) ?? 'As its type says.',
      ];
    }),
  ];
}

/** The one text that all of these are. */
function common(texts) {
  const [text, ...others] = new Set(texts);
  return others.length === 0 ? text : undefined;
}

function stepTypes(schema, { oneOf }) {
  return oneOf.map((member) => resolve(schema, member));
}

/** A description, and the values and limits that it does not name. */
function wordsOf({ description, enum: values, enumDescriptions, minimum, maximum }) {
  const isListed = values !== undefined && enumDescriptions === undefined;
  return [
    description,
    ...(isListed ? [`One of ${values.map(code).join(', ')}.`] : []),
    ...(minimum === undefined || maximum === undefined ? [] : [`From ${minimum} to ${maximum}.`]),
  ].join(' ');
}

function code(value) {
  if (value === undefined) return '';
  return `\`${Array.isArray(value) ? JSON.stringify(value) : value}\``;
}

/** A column in which nothing stands is left out. */
function table([head, ...rows]) {
  const columns = head.map((_, column) => column).filter((column) => rows.some((row) => row[column] !== ''));
  const line = (row) => `| ${columns.map((column) => row[column].replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function nodeAt(schema, path) {
  const [first, ...names] = path.split('.');
  const start = first === 'recipe' ? schema : schema.definitions[first];
  const node = names.reduce((at, name) => at && resolve(schema, at).properties?.[name], start);
  if (node === undefined) throw new Error(`the schema has no ${path}`);
  return resolve(schema, node);
}
