import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LoadPlanOptions, loadPlan, validateRecipe } from '../../src/plan/load-plan.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { formatDiagnostics } from '../../src/recipe/diagnostic.ts';
import { RecipeError } from '../../src/recipe/recipe-error.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

const HOSTS = `version: 1
hosts:
  video-a: { ssh: root@10.0.0.5, settings: { device: eth1 } }
  video-b:
  web-a: { settings: { device: 5, paths: [/srv/www, /srv/cache] } }
groups:
  video: { hosts: [video-a, video-b], settings: { device: eth0, port: 8080 } }
`;

const RECIPE = `version: 1
name: Move it
inventory: ./hosts.yaml
inputs:
  device: { type: string, setting: { of: destination, name: device } }
  port: { type: port, default: 80, setting: { of: destination, name: port } }
  paths: { type: list, items: path, default: [/srv/video], setting: { of: source, name: paths } }
  source: { type: host, group: video, description: where it runs now }
  destination: { type: host }
  watchers: { type: list, items: host, default: [web-a] }
hosts: { source: '{{ inputs.source }}', destination: '{{ inputs.destination }}' }
workload: { process: { pid: 5 } }
network: { connections: keep, address: { cidr: 10.0.0.9/24, device: '{{ inputs.device }}' } }
steps:
  - uses: preflight
  - uses: dump
  - uses: transfer/rsync
  - uses: restore
  - { uses: command, with: { on: local, argv: [tell, '{{ inputs.watchers }}', '{{ inputs.port }}', '{{ inputs.paths }}'] } }
`;

let directory: TemporaryDirectory;
beforeAll(() => {
  directory = temporaryDirectory();
  writeFileSync(directory.at('hosts.yaml'), HOSTS);
  writeFileSync(directory.at('r.yaml'), RECIPE);
});
afterAll(() => directory[Symbol.dispose]());

const load = (options: Partial<LoadPlanOptions>): Promise<Plan> =>
  loadPlan({ recipe: 'r.yaml', inputs: [], cwd: directory.path, ...options });

const move = (source: string, destination: string, ...more: string[]): Promise<Plan> =>
  load({ inputs: [`source=${source}`, `destination=${destination}`, ...more] });

/** What is printed when it is refused. */
async function refusal(plan: Promise<Plan>): Promise<string> {
  const error = await plan.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof RecipeError)) throw new Error('accepted, or a bug', { cause: error });
  return formatDiagnostics(error.diagnostics);
}

function toldOf({ steps }: Plan): unknown {
  const step = steps.at(-1);
  return step?.uses === 'command' ? step.argv : undefined;
}

test('a host is what ssh is given; its own setting goes before its group’s, and both before the default', async () => {
  const there = await move('video-a', 'video-b');
  expect(there).toMatchObject({ source: 'root@10.0.0.5', destination: 'video-b' });
  expect(there.network.address?.device).toBe('eth0');
  expect(toldOf(there)).toEqual(['tell', 'web-a', '8080', '/srv/video']);
  const back = await move('video-b', 'video-a');
  expect(back).toMatchObject({ source: 'video-b', destination: 'root@10.0.0.5' });
  expect(back.network.address?.device).toBe('eth1');
});

test('what is given goes before a setting', async () => {
  const { network } = await move('video-a', 'video-b', 'device=bond0');
  expect(network.address?.device).toBe('bond0');
  const asked = await load({
    environment: { CRIU_FLOW_INPUT_SOURCE: 'video-b', CRIU_FLOW_INPUT_DESTINATION: 'video-a' },
  });
  expect(asked).toMatchObject({ source: 'video-b', destination: 'root@10.0.0.5' });
});

test('of what is asked for only what is known is offered, and a host that was asked for has settings', async () => {
  const questions: unknown[] = [];
  const answers: Readonly<Record<string, string[]>> = {
    source: ['web-a', 'video-b'],
    destination: ['video-a'],
  };
  const plan = await load({
    ask: ({ name, choices, problem }) => {
      questions.push([name, choices, problem?.message]);
      return Promise.resolve(answers[name]?.shift() ?? '');
    },
  });
  expect(plan.network.address?.device).toBe('eth1');
  expect(questions).toEqual([
    ['source', ['video-a', 'video-b'], undefined],
    [
      'source',
      ['video-a', 'video-b'],
      'The input `source` cannot be `web-a`, which is not in the group `video` of hosts.yaml',
    ],
    ['destination', ['video-a', 'video-b', 'web-a'], undefined],
  ]);
});

describe('is refused', () => {
  test('a host that the inventory has not', async () => {
    expect(await refusal(move('vidoe-a', 'video-b'))).toMatch(
      /^r\.yaml:8:3 {2}error {2}The input `source` cannot be `vidoe-a`: hosts\.yaml has no such host\n[^]*help: Did you mean `video-a`\?$/,
    );
  });

  test('how ssh names one that has a name', async () => {
    expect(await refusal(move('root@10.0.0.5', 'video-b'))).toContain('The hosts are `video-a`, `video-b`.');
  });

  test('one of another group, also in a list', async () => {
    expect(await refusal(move('web-a', 'video-b'))).toContain('is not in the group `video` of hosts.yaml');
    expect(await refusal(move('video-a', 'video-b', 'watchers=web-a', 'watchers=web-b'))).toContain(
      'The input `watchers` cannot be `web-b`',
    );
  });

  test('a setting that its input does not take, with the place where it is set', async () => {
    expect(await refusal(move('video-a', 'web-a'))).toMatch(
      /The input `device` must be text, not a number\n[^]*Write it in quotes\.\n +hosts\.yaml sets it for web-a, as `device`\.$/,
    );
  });

  test('a setting that a host has not: it is an input that is missing', async () => {
    const hosts = HOSTS.replace('{ device: 5, ', '{ ');
    writeFileSync(directory.at('fewer.yaml'), hosts);
    const inputs = ['source=video-a', 'destination=web-a'];
    expect(await refusal(load({ inputs, inventory: 'fewer.yaml' }))).toMatch(
      /The recipe needs the input `device`\n[^]*Add -i device=…\n +device: string, and fewer\.yaml does not set `device` for web-a$/,
    );
  });

  test('a group without an inventory', async () => {
    writeFileSync(directory.at('without.yaml'), RECIPE.replace('inventory: ./hosts.yaml\n', ''));
    const inputs = ['source=video-a', 'destination=web-a', 'device=eth0'];
    expect(await refusal(load({ recipe: 'without.yaml', inputs }))).toMatch(
      /takes hosts of the group `video`, and no inventory says which they are\n[^]*--inventory hosts\.yaml/,
    );
    const plan = await load({
      recipe: 'without.yaml',
      inputs: ['source=video-a', 'destination=video-b'],
      inventory: 'hosts.yaml',
    });
    expect(plan).toMatchObject({ source: 'root@10.0.0.5', destination: 'video-b' });
  });

  test('an inventory of the command line that cannot be read', async () => {
    await expect(load({ inventory: 'nowhere.yaml' })).rejects.toMatchObject({
      code: 'USAGE',
      message: 'The inventory nowhere.yaml cannot be read: there is no such file',
    });
  });
});

test('a host that stands in the recipe is one of the inventory, once', async () => {
  const swapped = 'version: 1\nhosts: { a: { ssh: b }, b: { ssh: c } }\n';
  writeFileSync(directory.at('swapped.yaml'), swapped);
  const literal = RECIPE.replace(/^inputs:[^]*?(?=^hosts:)/m, 'inputs: { to: { type: host } }\n')
    .replace(/^hosts: .*$/m, "hosts: { source: a, destination: '{{ inputs.to }}' }")
    .replace("'{{ inputs.device }}'", 'eth0')
    .replace(/^ {2}- \{ uses: command.*\n/m, '')
    .replace('./hosts.yaml', './swapped.yaml');
  writeFileSync(directory.at('literal.yaml'), literal);
  expect(await load({ recipe: 'literal.yaml', inputs: ['to=b'] })).toMatchObject({
    source: 'b',
    destination: 'c',
  });
});

test('a bundled recipe takes an inventory, and without settings or groups any host is its own', async () => {
  const inputs = ['source=video-a', 'destination=web-a', 'pid=5'];
  expect(await load({ recipe: 'process-rsync', inputs, inventory: 'hosts.yaml' })).toMatchObject({
    source: 'root@10.0.0.5',
    destination: 'web-a',
  });
  expect(await load({ recipe: 'process-rsync', inputs })).toMatchObject({ source: 'video-a' });
});

test('a base recipe names the inventory of its own directory; the one that extends it counts more', async () => {
  mkdirSync(directory.at('team'));
  writeFileSync(directory.at('team/base.yaml'), RECIPE);
  writeFileSync(directory.at('team/hosts.yaml'), HOSTS.replace('root@10.0.0.5', 'root@team'));
  writeFileSync(directory.at('mine.yaml'), 'version: 1\nname: Mine\nextends: ./team/base.yaml\n');
  const inputs = ['source=video-a', 'destination=video-b'];
  expect(await load({ recipe: 'mine.yaml', inputs })).toMatchObject({ source: 'root@team' });
  writeFileSync(
    directory.at('mine.yaml'),
    'version: 1\nname: Mine\nextends: ./team/base.yaml\ninventory: ./hosts.yaml\n',
  );
  expect(await load({ recipe: 'mine.yaml', inputs })).toMatchObject({ source: 'root@10.0.0.5' });
});

test('steps that others use have no inventory', async () => {
  writeFileSync(
    directory.at('part.yaml'),
    `version: 1
name: Tell
kind: steps
inputs: { host: { type: host, group: video } }
steps: [{ uses: command, readOnly: true, with: { on: local, argv: [tell, '{{ inputs.host }}'] } }]
`,
  );
  const using = RECIPE.replace(
    '  - uses: preflight\n',
    "  - uses: preflight\n  - { uses: recipe, with: { recipe: ./part.yaml, inputs: { host: '{{ inputs.source }}' } } }\n",
  );
  writeFileSync(directory.at('using.yaml'), using);
  for (const recipe of ['part.yaml', 'using.yaml']) {
    const [first, ...others] = await validateRecipe({ recipe, cwd: directory.path });
    expect(first).toMatchObject({
      message: 'Steps that other recipes use have no inventory, and `group` is of one',
    });
    expect(others).toEqual([]);
  }
});
