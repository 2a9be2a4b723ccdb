import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import schema from '../../schemas/recipe.schema.json' with { type: 'json' };
import { type LanguageServer, startLanguageServer } from '../helpers/language-server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A good recipe, up to its steps. */
const HEAD = `version: 1
name: Move it
hosts: { source: a, destination: b }
workload: { process: { pid: 4711 } }
`;
const STEPS = `${HEAD}steps:
  - uses: preflight
  - uses: dump
  - uses: transfer/rsync
  - uses: restore
`;
const STEP_TYPES = schema.definitions.step.oneOf.map(({ $ref }) => {
  const name = $ref.replace('#/definitions/', '') as 'dumpStep';
  return schema.definitions[name].properties.uses.const;
});

let server: LanguageServer;
beforeAll(async () => {
  server = await startLanguageServer(join(root, 'schemas/editor/recipe.schema.json'));
}, 60_000);
afterAll(() => server[Symbol.asyncDispose]());

const offered = async (text: string): Promise<string[]> =>
  (await server.complete(text)).map(({ label }) => label);

describe('an editor offers', () => {
  test('the keys at the top, with what they are', async () => {
    const items = await server.complete('‸');
    expect(items.map(({ label }) => label)).toEqual(expect.arrayContaining(Object.keys(schema.properties)));
    expect(items.find(({ label }) => label === 'network')?.documentation).toMatchObject({
      value: expect.stringContaining('TCP connections'),
    });
  });

  test('those that are not there yet', async () => {
    const labels = await offered(`${HEAD}‸`);
    expect(labels).toContain('steps');
    expect(labels).not.toContain('workload');
  });

  test('the first lines of a recipe', async () => {
    const [beginning] = (await server.complete('‸')).filter(({ label }) => label.startsWith('A move'));
    expect(beginning?.insertText).toMatch(/^version: 1\nname: .*\nhosts:\n/);
  });

  test('every step type, with what it does', async () => {
    const items = await server.complete(`${HEAD}steps:\n  - uses: ‸\n`);
    expect(items.map(({ label }) => label)).toEqual(STEP_TYPES);
    expect(items.find(({ label }) => label === 'verify')?.documentation).toMatchObject({
      value: schema.definitions.verifyStep.description,
    });
  });

  test.each([
    ['a hook', 'hooks:\n  dump:\n    before:\n      - uses: ‸\n'],
    ['a block', 'steps:\n  - uses: block\n    steps:\n      - uses: ‸\n'],
    ['a rollback', 'rollback:\n  - uses: ‸\n'],
  ])('in %s only the step types that can stand there', async (_, text) => {
    const labels = await offered(HEAD + text);
    expect(labels).toContain('command');
    expect(labels).not.toContain('dump');
  });

  test.each([
    ['command', ['with', 'register', 'exitCodes', 'retry', 'readOnly', 'irreversible', 'rollback'], 'steps'],
    ['dump', ['name', 'with', 'timeout', 'rollback'], 'readOnly'],
    ['approve', ['name', 'if', 'with'], 'timeout'],
    ['block', ['steps', 'rescue', 'always', 'forEach'], 'with'],
  ])('the keys of a step of the type %s, and no other', async (type, keys, other) => {
    const labels = await offered(`${HEAD}steps:\n  - uses: ${type}\n    ‸\n`);
    expect(labels).toEqual(expect.arrayContaining(keys));
    expect(labels).not.toContain(other);
  });

  test.each([
    ['command', ['on', 'argv', 'shell', 'env', 'stdin'], 'message'],
    ['approve', ['message', 'by', 'approvals', 'expires'], 'on'],
    ['verify', ['checks'], 'on'],
  ])('the keys of `with` of the type %s, and no other', async (type, keys, other) => {
    const labels = await offered(`${HEAD}steps:\n  - uses: ${type}\n    with:\n      ‸\n`);
    expect(labels).toEqual(expect.arrayContaining(keys));
    expect(labels).not.toContain(other);
  });

  test.each([
    ['kind: ‸\n', ['move', 'checkpoint', 'restore', 'sequence', 'steps']],
    ['kind: sequence\nruns:\n  - ‸\n', ['recipe', 'name', 'if', 'forEach', 'inputs']],
    ['network:\n  connections: ‸\n', ['keep', 'close', 'refuse']],
    ['network:\n  address:\n    device: ‸\n', ['eth0']],
    ['inputs:\n  pid:\n    type: ‸\n', ['host', 'pid', 'secret']],
    ['inputs:\n  ‸\n', ['name']],
    ['probes:\n  health:\n    ‸\n', ['http', 'tcp', 'command']],
    ['checks:\n  before:\n    - ‸\n', ['health', 'http', 'tcp', 'command']],
    ['retries:\n  patient:\n    ‸\n', ['attempts', 'delay', 'backoff', 'maxDelay']],
    ['steps:\n  - uses: command\n    retry:\n      ‸\n', ['attempts', 'delay', 'backoff', 'maxDelay']],
    ['steps:\n  - uses: command\n    retry: ‸\n', ['patient']],
  ])('in %j: %j', async (text, labels) => {
    const found = await offered(HEAD + text);
    expect(found).toEqual(expect.arrayContaining(labels));
    expect(found).not.toContain('[object Object]');
  });

  test('nothing that would be wrong: what it writes for `rollback` has its step type', async () => {
    const [rollback] = (await server.complete(`${HEAD}‸`)).filter(({ label }) => label === 'rollback');
    expect(rollback?.insertText).toMatch(/^rollback:\n {2}- uses: \$\{1:command\}\n {4}with:/);
  });
});

describe('an editor shows', () => {
  test.each([
    ['workl‸oad', HEAD, ['What moves', 'pidFile: /run/video.pid']],
    ['destin‸ation', HEAD, ['Where the workload will run', 'root@host-a']],
    [
      'connec‸tions',
      `${HEAD}network: { connections: keep }`,
      ['Default: `refuse`', '`close`: Lets', 'keep\n'],
    ],
    ['device‸', `${HEAD}network: { address: { cidr: 10.0.0.9/24, device: br0 } }`, ['`eth0`', 'eth0\n']],
    ['downt‸ime', `${HEAD}objectives: { downtime: 1s }`, ['longest pause', '2s\n']],
    ['uses‸: dump', STEPS, ['Freezes the workload', '`restore`: Rebuilds']],
    ['dum‸p', STEPS, ['Freezes the workload']],
    ['timeout‸', `${STEPS}    timeout: 3m`, ['How long the step may take', 'Default: `2m`', '500ms\n']],
    ['step‸s', STEPS, ['What happens, in order', '- uses: preflight\n']],
    [
      'argv‸',
      `${HEAD}always:\n  - uses: command\n    with: { on: local, argv: [ls] }`,
      ['arguments', '- systemctl'],
    ],
    [
      'http‸',
      `${HEAD}probes: { up: { http: { url: http://a/ } } }`,
      ['GET', 'url: http://10.0.0.9:8080/health'],
    ],
    [
      'retry‸',
      `${HEAD}steps:\n  - { uses: command, retry: patient }`,
      ['Tried again', 'patient\n', 'attempts: 5'],
    ],
  ])('%s: what it is, with an example', async (key, recipe, words) => {
    const plain = key.replace('‸', '');
    expect(recipe).toContain(plain);
    const shown = await server.hover(recipe.replace(plain, key));
    for (const each of words) expect(shown).toContain(each);
  });

  test('code as code', async () => {
    const shown = await server.hover(`${HEAD}network: { connec‸tions: keep }`);
    expect(shown).toContain('`keep` moves them');
  });
});

describe('an editor underlines', () => {
  test.each([
    ['a wrong key', `${HEAD}filse: []\nsteps: []`, 'filse', 'Property filse is not allowed'],
    ['a wrong key of a step', `${STEPS}    argv: [ls]`, 'argv', 'Property argv is not allowed'],
    [
      'a key of another step type',
      STEPS.replace('- uses: restore', '- { uses: restore, with: {} }'),
      'with',
      'not allowed',
    ],
    ['a key that a sequence has not', `${HEAD}kind: sequence\nruns: []`, 'hosts', 'not allowed'],
    ['runs of a move', `${STEPS}runs: [{ recipe: process-rsync }]`, 'runs', 'not allowed'],
    ['a wrong type', `${STEPS}files: /srv/video`, '/srv/video', 'Expected "array"'],
    ['a wrong step type', STEPS.replace('dump', 'dmup'), 'dmup', '"preflight", "dump", "transfer/rsync"'],
    [
      'a step that cannot stand there',
      `${STEPS}hooks: { dump: { before: [{ uses: approve }] } }`,
      'approve',
      '"verify"',
    ],
    [
      'a value that does not fit',
      `${STEPS}files: [{ path: srv/video }]`,
      'srv/video',
      'does not fit. An absolute path',
    ],
    [
      'two keys of which one is too much',
      `${STEPS}always: [{ uses: command, with: { on: local, argv: [ls], shell: cat } }]`,
      'shell',
      'Property shell is not allowed',
    ],
  ])('%s, at its place', async (_, recipe, wrong, message) => {
    const line = recipe.split('\n').findIndex((each) => each.includes(wrong));
    const character = recipe.split('\n')[line]?.indexOf(wrong) ?? -1;
    const diagnostics = await server.diagnose(recipe);
    expect(diagnostics).toContainEqual(
      expect.objectContaining({
        range: { start: { line, character }, end: { line, character: character + wrong.length } },
        message: expect.stringContaining(message),
      }),
    );
  });

  test('a step without what its type needs', async () => {
    const diagnostics = await server.diagnose(`${STEPS}  - uses: verify\n`);
    expect(diagnostics.map(({ message }) => message)).toEqual(['Missing property "with".']);
    expect(diagnostics[0]?.range.start).toEqual({ line: 9, character: 4 });
  });
});

const recipes = ['recipes', 'examples', 'scripts'].flatMap((directory) =>
  readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join(directory, name)),
);

describe.each(recipes)('%s', (file) => {
  const text = readFileSync(join(root, file), 'utf8');

  test('is a good one for an editor, by the schema in its first line', async () => {
    // Opened where no setting says which schema it has.
    const schemaFile = relative(dirname(file), 'schemas/editor/recipe.schema.json');
    expect(text.split('\n', 1)[0]).toBe(`# yaml-language-server: $schema=${schemaFile}`);
    expect(await server.diagnose(text, join(root, file))).toEqual([]);
    // A good one tells nothing, as one without a schema does.
    const broken = await server.diagnose(
      text.replace(/\n(steps|runs):/, '\nmisspelt:'),
      join(root, `${file}.broken.yaml`),
    );
    expect(broken.map(({ message }) => message)).toContain('Property misspelt is not allowed.');
  });
});

const page = readFileSync(join(root, 'docs/recipes.md'), 'utf8');
const examples = [...page.matchAll(/```yaml\n([^`]*?version: 1\n[^`]*?\n(?:steps|runs):[^`]*)```/g)].map(
  ([, text = '']) => text,
);

test.each(examples)('whole recipe %# of docs/recipes.md is a good one for an editor', async (text) => {
  expect(examples.length).toBeGreaterThan(2);
  // As if the schema lay beside it, as the page says.
  const file = join(root, 'schemas/editor/r.yaml');
  expect(await server.diagnose(withModeline(text), file)).toEqual([]);
  const broken = withModeline(text).replace('version: 1', 'version: 2');
  expect(await server.diagnose(broken, `${file}.broken.yaml`)).toMatchObject([{ severity: 1 }]);
});

function withModeline(text: string): string {
  const modeline = '# yaml-language-server: $schema=./recipe.schema.json\n';
  return text.startsWith(modeline) ? text : modeline + text;
}
