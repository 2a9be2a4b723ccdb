import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadAnyPlan, loadPlan, validateRecipe } from '../../src/plan/load-plan.ts';
import type { SequencePlan } from '../../src/plan/plan.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory[Symbol.dispose]());

const write = (files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(directory.at(name)), { recursive: true });
    writeFileSync(directory.at(name), text);
  }
};
const plan = async (inputs: readonly string[] = [], inventory?: string): Promise<SequencePlan> => {
  const made = await loadAnyPlan({ recipe: './s.yaml', inputs, inventory, cwd: directory.path });
  if (made.kind !== 'sequence') throw new Error('a sequence is meant');
  return made;
};

const MOVE = `version: 1
name: Move it
inputs:
  source: { type: host, default: root@a }
  destination: { type: host }
  pid: { type: pid }
  token: { type: secret, from: { env: MOVE_TOKEN } }
hosts: { source: '{{ inputs.source }}', destination: '{{ inputs.destination }}' }
workload: { process: { pid: '{{ inputs.pid }}' } }
steps:
  - uses: preflight
  - uses: command
    with: { on: local, argv: [./tell.sh], env: { TOKEN: '{{ inputs.token }}' } }
    irreversible: It is told again.
  - uses: dump
  - uses: transfer/rsync
  - uses: restore
`;
const SEQUENCE = `version: 1
kind: sequence
name: Several
inputs:
  pids: { type: list, items: pid }
  last: { type: bool, default: true }
runs:
  - recipe: ./move.yaml
    forEach: '{{ inputs.pids }}'
    inputs: { destination: root@b, pid: '{{ item }}' }
  - recipe: ./move.yaml
    name: The last one
    if: '{{ inputs.last }}'
    inputs: { source: root@c, destination: root@b, pid: 7 }
`;

test('evacuate has the plan of each of its runs', async () => {
  const inputs = ['source=root@a', 'destination=root@b', 'pids=4711', 'pids=4712'];
  const made = await loadAnyPlan({ recipe: 'recipes/evacuate.yaml', inputs, cwd: root });
  await expect(`${JSON.stringify(made, null, 2)}\n`).toMatchFileSnapshot('golden/evacuate.json');
});

test('evacuate tells at its top what it is for, what it needs and risks, where it stops, and a command that works', async () => {
  const [header = ''] = readFileSync(`${root}/recipes/evacuate.yaml`, 'utf8').split('version: 1');
  const words = [...header.matchAll(/^# ([A-Z][a-z]+) {2,}\S/gm)].map(([, word]) => word);
  expect(words).toEqual(['Purpose', 'Yours', 'Needs', 'Stops', 'Risk', 'Undo', 'Copies']);
  const given = [...header.matchAll(/-i (\S+=\S+)/g)].map(([, input = '']) => input);
  expect(await loadAnyPlan({ recipe: 'evacuate', inputs: given, cwd: '/' })).toMatchObject({
    runs: [{}, {}, {}],
  });
  expect(await validateRecipe({ recipe: 'evacuate', cwd: '/' })).toEqual([]);
});

test('a run has the plan that its recipe has by itself, with the same digest', async () => {
  write({ 's.yaml': SEQUENCE, 'move.yaml': MOVE });
  const { runs, digest } = await plan(['pids=5', 'pids=6']);
  const alone = await loadPlan({
    recipe: './move.yaml',
    inputs: ['destination=root@b', 'pid=6'],
    cwd: directory.path,
  });
  expect(runs.map(({ title }) => title)).toEqual(['Move it: 5', 'Move it: 6', 'The last one']);
  expect(runs[1]?.plan).toEqual(alone);
  expect(runs[1]?.plan.secrets).toEqual({ token: { env: 'MOVE_TOKEN' } });
  expect(runs[2]?.plan).toMatchObject({ source: 'root@c', workload: { kind: 'pid', pid: 7 } });
  expect(digest).not.toBe((await plan(['pids=6', 'pids=5'])).digest);
  expect(digest).toBe((await plan(['pids=5', 'pids=6'])).digest);
});

test('a run whose condition is false is not among them', async () => {
  write({ 's.yaml': SEQUENCE, 'move.yaml': MOVE });
  expect((await plan(['pids=5', 'last=false'])).runs.map(({ title }) => title)).toEqual(['Move it: 5']);
});

describe('what cannot be planned is told of where it is given', () => {
  test.each([
    [
      'a value that the recipe does not take',
      ['pids=5', 'pids=0'],
      'The input `pids`[1] must be a process id',
    ],
    [
      'the same workload twice',
      ['pids=5', 'pids=5'],
      'Run 2 is of the workload that run 1 moves away from root@a',
    ],
  ])('%s', async (_, inputs, message) => {
    write({ 's.yaml': SEQUENCE, 'move.yaml': MOVE });
    await expect(plan(inputs)).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringContaining(message),
      location: { file: 's.yaml' },
    });
  });

  test('nothing that is left to run', async () => {
    const none = SEQUENCE.replace("'{{ inputs.pids }}'", '[]').replace(
      'pids: { type: list, items: pid }',
      '',
    );
    write({ 's.yaml': none.replace("pid: '{{ item }}'", 'pid: 1'), 'move.yaml': MOVE });
    await expect(plan(['last=false'])).rejects.toThrow('Nothing is left to run with these inputs');
  });

  test('an item that the recipe does not take', async () => {
    write({ 's.yaml': SEQUENCE.replace(', items: pid', ''), 'move.yaml': MOVE });
    await expect(plan(['pids=many'])).rejects.toMatchObject({
      message: 'The input `pid` must be a process id from 1 to 4194304, not "many"',
      location: { file: 's.yaml', line: 10 },
    });
  });

  test('what the recipe cannot do with it, with the run that gave it', async () => {
    write({ 's.yaml': SEQUENCE.replace('root@c', 'root@b'), 'move.yaml': MOVE });
    await expect(plan(['pids=5'])).rejects.toMatchObject({
      code: 'RECIPE_INVALID',
      message: 'The source and the destination are the same host, b',
      hint: 'It is used at s.yaml:11:5',
      location: { file: 'move.yaml' },
    });
  });
});

test('a checkpoint of a workload, and then its move, are no contradiction', async () => {
  const keep = MOVE.replace('version: 1', 'version: 1\nkind: checkpoint')
    .replace(", destination: '{{ inputs.destination }}'", '')
    .replace('  destination: { type: host }\n', '')
    .replace('- uses: transfer/rsync\n  - uses: restore', '- { uses: checkpoint, with: { series: it } }');
  const sequence = `version: 1
kind: sequence
name: Keep it, then move it
runs:
  - { recipe: ./keep.yaml, inputs: { pid: 5 } }
  - { recipe: ./move.yaml, inputs: { destination: root@b, pid: 5 } }
`;
  write({ 's.yaml': sequence, 'move.yaml': MOVE, 'keep.yaml': keep });
  expect((await plan()).runs.map(({ plan: { kind } }) => kind)).toEqual(['checkpoint', 'move']);
});

const HOSTS = `version: 1
hosts: { one: { ssh: root@10.0.0.1 }, two: { ssh: root@10.0.0.2 } }
groups: { video: { hosts: [one, two] } }
`;

test('an inventory names the hosts of the sequence; a recipe that names one itself takes its own hosts of that', async () => {
  write({
    's.yaml': `version: 1
kind: sequence
name: Drain it
inventory: ./team/hosts.yaml
inputs: { to: { type: host, group: video } }
runs:
  - { recipe: ./team/move.yaml, inputs: { destination: '{{ inputs.to }}', pid: 5 } }
`,
    'team/move.yaml': MOVE.replace('name: Move it', 'name: Move it\ninventory: ./hosts.yaml').replace(
      'root@a',
      'one',
    ),
    'team/hosts.yaml': HOSTS,
    'other.yaml': HOSTS.replaceAll('10.0.0', '10.9.9'),
  });
  expect((await plan(['to=two'])).runs[0]?.plan).toMatchObject({
    source: 'root@10.0.0.1',
    destination: 'root@10.0.0.2',
  });
  // What is handed on is what ssh(1) is given, whatever the recipe has for an inventory.
  expect((await plan(['to=two'], 'other.yaml')).runs[0]?.plan).toMatchObject({
    source: 'root@10.0.0.1',
    destination: 'root@10.9.9.2',
  });
  await expect(plan(['to=three'])).rejects.toThrow('`three`');
});

test('a host that is handed on must be in the group that the recipe wants it in', async () => {
  const hosts = `version: 1
hosts: { one: { ssh: root@10.0.0.1 }, two: { ssh: root@10.0.0.2 }, three: }
groups: { video: { hosts: [one, two] } }
`;
  const move = MOVE.replace('destination: { type: host }', 'destination: { type: host, group: video }');
  const sequence = SEQUENCE.replaceAll('root@b', 'root@10.0.0.2');
  write({ 's.yaml': sequence, 'move.yaml': move, 'hosts.yaml': hosts });
  const none = 'The input `destination` takes hosts of the group `video` of an inventory, and there is none';
  await expect(plan(['pids=5'])).rejects.toThrow(none);
  expect((await plan(['pids=5'], 'hosts.yaml')).runs).toHaveLength(2);
  const named = move
    .replace('name: Move it', 'name: Move it\ninventory: ./hosts.yaml')
    .replace('root@a', 'one');
  write({ 's.yaml': SEQUENCE, 'move.yaml': named });
  await expect(plan(['pids=5'])).rejects.toMatchObject({
    message:
      'The input `destination` takes hosts of the group `video` of hosts.yaml; `root@b` is none of them',
    location: { file: 's.yaml', line: 10 },
  });
});

test('the inventory of a recipe that is run is none of the sequence', async () => {
  write({
    's.yaml': SEQUENCE,
    'move.yaml': MOVE.replace('name: Move it', 'name: Move it\ninventory: ./hosts.yaml').replace(
      'root@a',
      'one',
    ),
    'hosts.yaml': HOSTS,
  });
  const { runs } = await plan(['pids=5']);
  expect(runs.map(({ plan: { source, destination } }) => [source, destination])).toEqual([
    ['root@10.0.0.1', 'root@b'],
    ['root@c', 'root@b'],
  ]);
});

test('a sequence can be laid over another one', async () => {
  write({
    's.yaml': `version: 1\nname: Ours\nextends: evacuate\ninputs: { destination: { default: root@b } }\n`,
  });
  expect(await validateRecipe({ recipe: './s.yaml', cwd: directory.path })).toEqual([]);
  expect(await plan(['source=root@a', 'pids=5'])).toMatchObject({
    name: 'Ours',
    runs: [{ plan: { destination: 'root@b' } }],
  });
});

test('it has no plan of one run', async () => {
  const inputs = ['source=a', 'destination=b', 'pids=1'];
  await expect(loadPlan({ recipe: 'evacuate', inputs, cwd: '/' })).rejects.toMatchObject({
    code: 'USAGE',
    hint: expect.stringContaining('loadAnyPlan'),
  });
});
