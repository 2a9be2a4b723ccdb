import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FlowError } from '../../src/errors/flow-error.ts';
import { loadPlan, validateRecipe } from '../../src/plan/load-plan.ts';
import { formatDiagnostics } from '../../src/recipe/diagnostic.ts';

const cwd = fileURLToPath(new URL('wrong', import.meta.url));

describe('each wrong recipe has one clear message with its place', () => {
  test.each(readdirSync(cwd).filter((name) => name.endsWith('.yaml')))('%s', async (recipe) => {
    const diagnostics = await validateRecipe({ recipe, cwd });
    expect(diagnostics.some(({ severity }) => severity === 'error')).toBe(true);
    await expect(`${formatDiagnostics(diagnostics)}\n`).toMatchFileSnapshot(
      `wrong/${recipe.replace('.yaml', '.txt')}`,
    );
  });
});

describe('a recipe that is no recipe at all', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'criu-flow-recipes-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const refusal = async (bytes: Uint8Array | string): Promise<string> => {
    const file = join(directory, 'recipe.yaml');
    writeFileSync(file, bytes);
    try {
      await loadPlan({ recipe: file, inputs: [], cwd: directory });
    } catch (error) {
      if (error instanceof FlowError) return error.message;
      throw error;
    }
    return 'accepted';
  };

  test('a file of 10 MB is not even read', async () => {
    expect(await refusal('x: 1\n'.repeat(2_000_000))).toBe(
      'The file has 9.5 MiB, and a recipe has at most 256 KiB',
    );
  });

  test('binary garbage', async () => {
    expect(await refusal(randomBytes(4096))).toMatch(/not UTF-8|control character/);
  });

  test('a directory, and a file that is not there', async () => {
    await expect(loadPlan({ recipe: directory, inputs: [], cwd: directory })).rejects.toThrow(
      /is not a file/,
    );
    await expect(loadPlan({ recipe: './none.yaml', inputs: [], cwd: directory })).rejects.toThrow(
      'The recipe none.yaml cannot be read: there is no such file',
    );
  });

  test('the name of a bundled recipe, misspelt', async () => {
    await expect(loadPlan({ recipe: 'proces-rsync', inputs: [], cwd: directory })).rejects.toMatchObject({
      code: 'RECIPE_NOT_FOUND',
      hint: 'Did you mean process-rsync?',
    });
  });

  test('no bytes whatever are a bug', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        expect(await refusal(bytes)).not.toBe('accepted');
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
        expect(await refusal(JSON.stringify(data) ?? '')).not.toBe('accepted');
      }),
      { numRuns: 200 },
    );
  });
});
