import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadPlan, validateRecipe } from '../../src/plan/load-plan.ts';
import { type InitAnswers, newRecipe } from '../../src/recipe/new-recipe.ts';
import { checkValue, type ValueKind } from '../../src/recipe/values.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

/** Texts of a kind, odd ones among them. */
function of(kind: ValueKind, ...examples: readonly string[]): fc.Arbitrary<string> {
  const text = fc.oneof(
    fc.constantFrom(...examples),
    fc.tuple(fc.constantFrom(...examples), fc.string({ maxLength: 12 })).map((parts) => parts.join('')),
  );
  return text.filter((each) => each.trim() === each && checkValue('it', kind, each) === undefined);
}

const name = of('line', 'nginx', 'yes', '1.0', "it's: {a} #1 & *b", '- x', '{{ inputs.x }}', '"');
const path = of('moved-path', '/srv/a b', "/srv/it's", '/srv/{{ x }}', '/srv/#1').filter(
  (each) => !each.includes(','),
);
const answers: fc.Arbitrary<InitAnswers> = fc
  .tuple(
    fc.record({
      name,
      source: of('host', 'root@a', 'a.example.org'),
      destination: of('host', 'root@zz', 'zz.example.org'),
      connections: fc.constantFrom('keep', 'close', 'refuse'),
      device: of('device', 'eth0', 'bond0.7'),
      files: fc.uniqueArray(path, { maxLength: 2 }).map((paths) => paths.join(', ')),
    }),
    fc.oneof(
      fc.record({ findBy: fc.constant('pidFile'), process: of('path', '/run/a.pid', "/run/it's.pid") }),
      fc.record({ findBy: fc.constant('unit'), process: of('unit', 'nginx.service', 'a@b-c.service') }),
      fc.record({ findBy: fc.constant('executable'), process: of('path', '/usr/sbin/nginx') }),
    ),
    fc.oneof(
      fc.record({
        check: fc.constant('http'),
        target: of('url', 'http://10.0.0.9/health', 'https://a/?x=1'),
      }),
      fc.record({ check: fc.constant('tcp'), target: fc.constantFrom('80', '65535') }),
      fc.record({ check: fc.constant('none') }),
    ),
    fc.constantFrom({}, { cidr: '' }, { cidr: '10.0.0.9/24' }, { cidr: 'fd00::9/64' }),
  )
  .map((parts) => Object.assign({}, ...parts) as InitAnswers);

test('whatever is answered, the recipe is a good one, and has a plan', async () => {
  using directory = temporaryDirectory();
  const options = { recipe: 'r.yaml', cwd: directory.path };
  await fc.assert(
    fc.asyncProperty(answers, async (each) => {
      // Files in each other, and one host twice, are for the person to be told of.
      const files = (each.files ?? '').split(', ');
      fc.pre(files.every((one) => files.every((other) => one === other || !other.startsWith(one))));
      const text = newRecipe(each);
      writeFileSync(directory.at('r.yaml'), text);
      const unrendered = 'This is not rendered as a template: the braces stay as they are';
      const found = (await validateRecipe(options)).filter(({ message }) => message !== unrendered);
      expect(found, text).toEqual([]);
      const plan = await loadPlan({ ...options, inputs: [] });
      expect(plan).toMatchObject({ name: each.name, source: each.source, destination: each.destination });
    }),
    { numRuns: 150 },
  );
});

test('a recipe of nginx', async () => {
  await expect(
    newRecipe({
      name: 'Move nginx to another host',
      ...{ findBy: 'unit', process: 'nginx.service', source: 'root@a', destination: 'root@b' },
      ...{ connections: 'keep', cidr: '10.0.0.9/24', device: 'eth0', files: '/var/www, /var/log/nginx' },
      ...{ check: 'http', target: 'http://10.0.0.9/' },
    }),
  ).toMatchFileSnapshot('new/nginx.yaml');
});
