// Documents that a person, a program or an enemy could give as a recipe, as fast-check makes them: recipes in which things were
// changed, recipes that the schema describes, texts in which characters were changed, and anything at all.
import fc from 'fast-check';
import { parse, stringify } from 'yaml';

/** What tends to break programs, and what means something to YAML, templates, shells and ssh. */
const NASTY = [
  ...['', ' ', '\0', '\n', '\u0085', '\u2028', '\u202e', '\ud800', '\ufeff', 'x'.repeat(5000)],
  ...[
    '{{',
    '{{ }}',
    '{{ inputs.a',
    '{{ inputs.nothing }}',
    '{{ inputs.a | nothing }}',
    '{{ inputs.a | host }}',
  ],
  ...[
    '{{ inputs.source }}',
    '{{ item }}',
    '{{ results.x.stdout }}',
    '{{ results.x.exitCode == 0 }}',
    '{% if 1 %}',
  ],
  ...['{{ inputs.constructor }}', "{{ ''.__proto__ }}", '{{ range(9999999) }}', '{{ (((((((((1))))))))) }}'],
  ...[
    '{# #}',
    '{{ inputs.a }}{{ inputs.b }}',
    '{{ "' + 'a'.repeat(300) + '" }}',
    '{{ 1 / 0 }}',
    '{{ [1, [2]] }}',
  ],
  ...[
    '-oProxyCommand=touch /tmp/x',
    '$(id)',
    '`id`',
    '; id',
    '"',
    "'",
    '\\',
    '../../etc/passwd',
    '/',
    '~',
    '*a',
    '&a',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '<<',
    '!!js/function "x"',
    '(a+)+$',
    '[',
    '99999999h',
  ],
  ...['1e999', '0x10', 'NaN', '.inf', 'null', 'yes', '2026-01-01', 'npm:x/y', './self.yaml', 'process-rsync'],
];
const GOOD = [
  ...[
    'root@a',
    'local',
    '/run/a.pid',
    '/srv/a',
    '10.0.0.9/24',
    'fd00::9/64',
    'eth0',
    '30s',
    '500ms',
    '4711',
    '64MiB',
  ],
  ...[
    'http://10.0.0.9/',
    '10.0.0.9',
    'dump',
    'restore',
    'commit',
    'verify',
    'command',
    'block',
    'recipe',
    'a',
    'b',
  ],
  ...[
    'source',
    'destination',
    'health',
    'It tells only a person.',
    '{{ inputs.a }}',
    '{{ inputs.destination }}',
  ],
];

/**
 * @param {object} schema that of recipes
 * @param {readonly string[]} recipes texts of good ones
 * @returns an arbitrary of texts
 */
export function documents(schema, recipes) {
  const keys = [...keysIn(schema)];
  const scalar = fc.oneof(
    fc.constantFrom(...NASTY),
    fc.constantFrom(...GOOD),
    fc.constantFrom(null, true, false, 0, 1, -1, 1.5, 1e21, 2 ** 53, 65536),
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.integer(),
  );
  const anything = fc.oneof(
    { weight: 5, arbitrary: scalar },
    { weight: 1, arbitrary: fc.array(scalar, { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.dictionary(fc.constantFrom(...keys, ...NASTY), scalar, { maxKeys: 4 }) },
    { weight: 1, arbitrary: fc.anything({ maxDepth: 3, values: [scalar], key: fc.constantFrom(...keys) }) },
  );
  const data = recipes.map((text) => parse(text));
  const changed = fc
    .tuple(fc.constantFrom(...data), fc.array(changeOf(keys, anything), { maxLength: 4 }))
    .map(([recipe, changes]) =>
      write(changes.reduce((done, change) => change(done), structuredClone(recipe))),
    );
  const described = fc.gen().map((given) => write(describe(schema, schema, given, anything, 0)));
  const edited = fc
    .tuple(fc.constantFrom(...recipes), fc.array(editOf(), { minLength: 1, maxLength: 4 }))
    .map(([text, edits]) => edits.reduce((done, edit) => edit(done), text));
  return fc.oneof(
    { weight: 8, arbitrary: changed },
    { weight: 4, arbitrary: described },
    { weight: 3, arbitrary: edited },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 400 }) },
    { weight: 1, arbitrary: anything.map(write) },
  );
}

/** Values for the inputs of whatever recipe it is. */
export function givenInputs() {
  return fc.array(fc.oneof(fc.constantFrom(...GOOD), fc.constantFrom(...NASTY)), {
    minLength: 4,
    maxLength: 4,
  });
}

/** As a program would write it, which has no other way to write some values than as text. */
function write(value) {
  try {
    return stringify(value) ?? '';
  } catch {
    return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each)) ?? '';
  }
}

/** One change of a document: at a place that its own numbers lead to. */
function changeOf(keys, anything) {
  const steps = fc.array(fc.nat(1000), { minLength: 1, maxLength: 6 });
  const kinds = fc.constantFrom('replace', 'replace', 'remove', 'add', 'repeat', 'swap', 'rename');
  return fc
    .tuple(steps, kinds, anything, fc.constantFrom(...keys, ...NASTY))
    .map(([path, kind, value, key]) => (root) => {
      let at = root;
      let place;
      for (const step of path) {
        const names = Object.keys(at ?? {});
        if (typeof at !== 'object' || at === null || names.length === 0) break;
        place = [at, names[step % names.length]];
        at = at[place[1]];
      }
      if (place === undefined) return value;
      const [holder, name] = place;
      if (Array.isArray(holder)) changeList(holder, Number(name), kind, value);
      else changeMapping(holder, name, kind, key, value);
      return root;
    });
}

function changeList(list, index, kind, value) {
  switch (kind) {
    case 'remove':
      list.splice(index, 1);
      break;
    case 'add':
      list.push(value);
      break;
    case 'repeat':
      list.push(structuredClone(list[index]));
      break;
    case 'swap':
      list.unshift(...list.splice(index, 1));
      break;
    default:
      list[index] = value;
  }
}

function changeMapping(mapping, name, kind, key, value) {
  const before = mapping[name];
  if (kind === 'remove' || kind === 'rename') delete mapping[name];
  if (kind === 'rename' || kind === 'add') mapping[key] = kind === 'rename' ? before : value;
  if (kind === 'replace') mapping[name] = value;
}

/** One change of a text. */
function editOf() {
  const piece = fc.oneof(
    fc.constantFrom(
      ...NASTY,
      ':',
      ': ',
      '- ',
      '\n',
      '\t',
      '{',
      '}',
      '[',
      ']',
      '#',
      '|',
      '>',
      '&a ',
      '*a',
      '? ',
      '---\n',
      '%',
    ),
    fc.string({ unit: 'binary', maxLength: 3 }),
  );
  return fc.tuple(fc.nat(10_000), fc.nat(40), piece).map(([at, removed, added]) => (text) => {
    const from = text.length === 0 ? 0 : at % text.length;
    return text.slice(0, from) + added + text.slice(from + (removed > 20 ? 0 : removed));
  });
}

/** What a part of the schema lets through, mostly. */
function describe(schema, node, given, anything, depth) {
  const chance = (parts) => given(fc.nat, { max: 99 }) < parts;
  if (chance(3)) return given(() => anything);
  if (node === true || depth > 9) return given(() => anything);
  if (node.$ref !== undefined) {
    const target = schema.definitions[node.$ref.split('/').at(-1)];
    return describe(schema, { ...target, ...node, $ref: undefined }, given, anything, depth + 1);
  }
  if (node.const !== undefined) return node.const;
  if (node.enum !== undefined) return given(fc.constantFrom, ...node.enum);
  const choice = node.oneOf?.filter((each) => each.$ref !== undefined || each.type !== undefined) ?? [];
  if (choice.length > 0)
    return describe(schema, given(fc.constantFrom, ...choice), given, anything, depth + 1);
  const type = [node.type].flat();
  if (type.includes('array')) {
    const length = given(fc.nat, { max: depth > 5 ? 1 : 4 });
    return Array.from({ length }, () => describe(schema, node.items ?? true, given, anything, depth + 1));
  }
  if (type.includes('object') || node.properties !== undefined) {
    const one = node.oneOf ? given(fc.constantFrom, ...node.oneOf).required : [];
    // A document has what a move needs, or what a sequence does.
    const isSequence = node.else?.else !== undefined && chance(20);
    const kind = isSequence ? node.then.else.else : node.else?.else;
    const needed = [...(node.required ?? []), ...(kind?.required ?? []), ...one];
    const result = {};
    for (const [key, value] of Object.entries(node.properties ?? {})) {
      if (value === false || (isSequence && node.then.else.properties[key] === false)) continue;
      if (isSequence && key === 'kind') {
        result[key] = 'sequence';
        continue;
      }
      if (!chance(needed.includes(key) ? 98 : 60 - 8 * depth)) continue;
      result[key] = describe(schema, value, given, anything, depth + 1);
    }
    if (typeof node.additionalProperties === 'object') {
      for (const key of given(fc.subarray, ['a', 'b', 'source', 'destination', 'health', 'x'])) {
        result[key] = describe(schema, node.additionalProperties, given, anything, depth + 1);
      }
    }
    return result;
  }
  if (type.includes('integer')) return given(fc.integer, { min: node.minimum ?? 0, max: node.maximum ?? 9 });
  if (type.includes('boolean')) return given(fc.boolean);
  const fitting = GOOD.filter(
    (each) => node.pattern === undefined || new RegExp(node.pattern, 'u').test(each),
  );
  return fitting.length > 0 && chance(90) ? given(fc.constantFrom, ...fitting) : given(() => anything);
}

/** The words of the language. */
function keysIn(node, found = new Set()) {
  if (typeof node !== 'object' || node === null) return found;
  for (const key of Object.keys(node.properties ?? {})) found.add(key);
  for (const each of Object.values(node)) keysIn(each, found);
  return found;
}
