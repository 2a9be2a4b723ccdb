import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadPlan, validateRecipe } from '../../src/plan/load-plan.ts';
import { formatDiagnostics } from '../../src/recipe/diagnostic.ts';
import { RecipeError } from '../../src/recipe/recipe-error.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

const cwd = fileURLToPath(new URL('wrong', import.meta.url));

/** A good one. */
const RECIPE = `version: 1
name: Move it
inputs: { pid: { type: pid } }
hosts: { source: a, destination: b }
workload: { process: { pid: '{{ inputs.pid }}' } }
steps:
  - uses: preflight
  - uses: dump
  - uses: transfer/rsync
  - uses: restore
  - { uses: verify, with: { checks: [{ tcp: { address: a, port: 80 } }] } }
`;

describe('each wrong recipe has one clear message with its place', () => {
  test.each(readdirSync(cwd).filter((name) => name.endsWith('.yaml')))('%s', async (recipe) => {
    const diagnostics = await validateRecipe({ recipe, cwd });
    expect(diagnostics.some(({ severity }) => severity === 'error')).toBe(true);
    await expect(`${formatDiagnostics(diagnostics)}\n`).toMatchFileSnapshot(
      `wrong/${recipe.replace('.yaml', '.txt')}`,
    );
  });
});

describe('what is only odd is a warning, and runs', () => {
  test.each([
    ['Nothing reads the input `x`', RECIPE.replace('inputs: {', 'inputs: { x: { type: pid, default: 1 },')],
    ['This is not rendered as a template', RECIPE.replace('name: Move it', "name: 'Move {{ inputs.pid }}'")],
  ])('%s', async (message, text) => {
    using directory = temporaryDirectory();
    writeFileSync(directory.at('r.yaml'), text);
    const options = { recipe: 'r.yaml', cwd: directory.path };
    const diagnostics = await validateRecipe(options);
    expect(diagnostics).toMatchObject([{ severity: 'warning', message: expect.stringContaining(message) }]);
    await expect(loadPlan({ ...options, inputs: ['pid=1'] })).resolves.toBeDefined();
  });
});

describe('a recipe that is no recipe at all', () => {
  let directory: TemporaryDirectory;
  beforeAll(() => {
    directory = temporaryDirectory();
  });
  afterAll(() => directory[Symbol.dispose]());

  /** The first message; anything but a refusal that people can act on is thrown. */
  const outcome = async (bytes: Uint8Array | string): Promise<string> => {
    writeFileSync(directory.at('recipe.yaml'), bytes);
    try {
      await loadPlan({ recipe: 'recipe.yaml', inputs: ['pid=1'], cwd: directory.path });
      return 'accepted';
    } catch (error) {
      if (!(error instanceof RecipeError)) throw error;
      // What is printed must be printable, too.
      expect(formatDiagnostics(error.diagnostics)).not.toMatch(/[^\P{Cc}\n]/u);
      return error.message;
    }
  };

  test('a file of 10 MB is not even read', async () => {
    expect(await outcome('x: 1\n'.repeat(2_000_000))).toBe(
      'The file has 9.5 MiB, and a recipe has at most 1 MiB',
    );
  });

  test('binary garbage', async () => {
    expect(await outcome(randomBytes(4096))).toMatch(/not UTF-8|control character/);
  });

  test.each([
    ['a directory', '.', /is not a file/],
    ['a pipe that nobody writes to', './pipe.yaml', /pipe\.yaml is not a file/],
    ['no such file', './none.yaml', 'The recipe none.yaml cannot be read: there is no such file'],
    ['a path through a file', './recipe.yaml/x', 'a part of its path is not a directory'],
  ])('%s', async (_, recipe, message) => {
    writeFileSync(directory.at('recipe.yaml'), '');
    if (recipe.startsWith('./pipe')) execFileSync('sh', ['-c', 'mkfifo pipe.yaml'], { cwd: directory.path });
    const path = recipe === '.' ? directory.path : recipe;
    await expect(loadPlan({ recipe: path, inputs: [], cwd: directory.path })).rejects.toThrow(message);
  });

  test.each([
    ['proces-rsync', 'Did you mean process-rsync?'],
    ['nothing', /^The bundled recipes are .*process-rsync.* A file has a slash in its path: \.\/nothing\.$/],
    ['..', /^The bundled recipes are/],
    ['recipes/process-rsync.yaml', 'The bundled recipe runs by its name: process-rsync'],
  ])('%s is not there: %s', async (recipe, hint) => {
    await expect(loadPlan({ recipe, inputs: [], cwd: directory.path })).rejects.toMatchObject({
      code: 'RECIPE_NOT_FOUND',
      hint: expect.stringMatching(hint),
    });
  });

  describe('made to take long, it is refused soon', () => {
    const repeat = (text: string, count: number): string => text.repeat(count);
    const each = (count: number, text: (index: number) => string): string =>
      Array.from({ length: count }, (_, index) => text(index)).join('');
    test.each([
      ['brackets', repeat('[', 1_040_000), 'The recipe nests too deep'],
      ['dashes', repeat('- ', 520_000), 'The recipe nests too deep'],
      ['indentation', each(700, (index) => `${repeat(' ', index)}a:\n`), 'The recipe nests too deep'],
      [
        'keys',
        each(100_001, (index) => `k${index.toString(36)}:\n`),
        'The recipe has more than 100000 values',
      ],
      ['aliases', `a: &a x\nb: [${repeat('*a,', 340_000)}]`, 'The recipe has more than 100000 values'],
      ['quotes', repeat('""', 200_000), 'Unexpected double-quoted-scalar'],
      ['documents', repeat('---\n', 100_000), 'The recipe is empty'],
      ['steps', `${RECIPE}${repeat('  - uses: dmup\n', 48_000)}`, 'There is no step type `dmup`'],
      [
        'files',
        `${RECIPE}files:\n${each(40_000, (index) => `  - path: /srv/${index}/\n`)}`,
        'files[0].path must be',
      ],
      [
        'inputs that are not there',
        `${RECIPE.replace('inputs: {', `inputs: {${each(16_000, (index) => ` a${index}: { type: pid },`)}`)}
  - { uses: command, with: { on: local, argv: [ls${each(16_000, (index) => `, '{{ inputs.b${index} }}'`)}] } }\n`,
        'There is no input `b0`',
      ],
    ])('%s', { timeout: 60_000 }, async (_, text, message) => {
      expect(await outcome(text)).toContain(message);
    });
  });

  test('no bytes whatever are a bug', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        expect(await outcome(bytes)).not.toBe('accepted');
      }),
      { numRuns: 200 },
    );
  });

  test('no YAML whatever is a bug', async () => {
    const value = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        fc.string(),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(
          fc.constantFrom('version', 'name', 'hosts', 'workload', 'steps', 'uses', 'with', 'x'),
          tie('tree'),
        ),
      ),
    })).tree;
    await fc.assert(
      fc.asyncProperty(value, async (data) => {
        expect(await outcome(JSON.stringify(data) ?? '')).not.toBe('accepted');
      }),
      { numRuns: 200 },
    );
  });

  test('no slip in a good recipe is a bug', async () => {
    const token = fc.constantFrom(
      ...[
        '{{',
        '}}',
        '{',
        '}',
        '[',
        ']',
        "'",
        '"',
        ':',
        ': ',
        '- ',
        '\n',
        '  ',
        '\t',
        '#',
        '&a ',
        '*a',
        '!',
        '|',
      ],
      ...[
        'inputs.pid',
        '| host',
        'null',
        '1',
        '-1',
        '/',
        '\r',
        '---\n',
        '{% if %}',
        '\u2028',
        '\ufeff',
        '<<: ',
      ],
    );
    const slip = fc.record({
      at: fc.nat(RECIPE.length),
      length: fc.nat(12),
      text: fc.array(token, { maxLength: 3 }).map((tokens) => tokens.join('')),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(slip, { minLength: 1, maxLength: 3 }), async (slips) => {
        const text = slips.reduce(
          (before, { at, length, text: with_ }) => before.slice(0, at) + with_ + before.slice(at + length),
          RECIPE,
        );
        await outcome(text);
      }),
      { numRuns: 500 },
    );
  });
});
