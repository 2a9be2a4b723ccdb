import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadPlan, validateRecipe } from '../../src/plan/load-plan.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory[Symbol.dispose]());

const MOVE = `
hosts: { source: a, destination: b }
workload: { process: { pid: 4711 } }
steps:
  - uses: preflight
  - uses: dump
  - uses: transfer/rsync
  - uses: restore
`;

const NOTIFY = `version: 1
kind: steps
name: Tell the team
inputs:
  channel: { type: string }
  times: { type: int, default: 1 }
  hosts: { type: list, default: [] }
  token: { type: secret, from: { env: NOTIFY_TOKEN } }
retries:
  patient: { attempts: 9 }
steps:
  - uses: command
    name: Ask who is there
    with: { on: local, argv: [who, '{{ inputs.channel }}', '{{ inputs.times }}', '{{ inputs.hosts }}'] }
    register: who
    readOnly: true
  - uses: command
    name: Tell them
    with:
      on: local
      argv: [tell, '{{ results.who.stdout }}']
      env: { TOKEN: '{{ inputs.token }}' }
    retry: patient
    irreversible: what was said was said
`;

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(directory.at(name)), { recursive: true });
    writeFileSync(directory.at(name), text);
  }
}

async function plan(inputs: readonly string[] = []): Promise<Plan> {
  expect(await validateRecipe({ recipe: 'r.yaml', cwd: directory.path })).toEqual([]);
  return loadPlan({ recipe: 'r.yaml', inputs, cwd: directory.path });
}

/** A whole recipe that begins with a step. */
function beginningWith(step: string, inputs = ''): string {
  return `version: 1\nname: Move\n${inputs}${MOVE}`.replace('steps:\n', `steps:\n${step}`);
}

test('a recipe that is used is a block with inputs, retries and results of its own', async () => {
  const step = `  - uses: recipe
    with: { recipe: ./parts/notify.yaml, inputs: { channel: 'sre {{ inputs.team }}', token: '{{ inputs.secret }}', hosts: [x, y] } }
`;
  const inputs = `inputs: { team: { type: string }, secret: { type: secret } }`;
  write({ 'r.yaml': beginningWith(step, inputs), 'parts/notify.yaml': NOTIFY });
  const made = await plan(['team=night', 'secret=env:OURS']);
  expect(made.steps[0]).toMatchObject({
    id: '1-recipe',
    title: 'Tell the team',
    uses: 'block',
    steps: [
      { id: '1.1-command', argv: ['who', 'sre night', '1', 'x', 'y'], register: '1/who' },
      {
        id: '1.2-command',
        argv: ['tell', { template: '{{ results.who.stdout }}', scope: '1' }],
        env: { TOKEN: { template: '{{ inputs.token }}', scope: '1' } },
        retry: { attempts: 9 },
      },
    ],
  });
  expect(made.inputs).toEqual({
    ...{ team: 'night', '1/channel': 'sre night', '1/times': 1, '1/hosts': ['x', 'y'] },
  });
  expect(made.secrets).toEqual({ secret: { env: 'OURS' }, '1/token': { env: 'OURS' } });
});

test('what is given has the type that its templates were checked with, however it is written', async () => {
  const part = `version: 1
kind: steps
name: Part
inputs: { text: { type: string }, count: { type: int }, token: { type: secret } }
steps:
  - uses: command
    readOnly: true
    if: "{{ inputs.text == '5' and inputs.count == 5 }}"
    with: { on: local, argv: [ls], env: { TOKEN: '{{ inputs.token }}' } }
`;
  const step = `  - uses: recipe
    with: { recipe: ./part.yaml, inputs: { text: '{{ inputs.n }}', count: '5', token: '{{  inputs . secret  }}' } }
`;
  const inputs = `inputs: { n: { type: int }, secret: { type: secret } }`;
  write({ 'r.yaml': beginningWith(step, inputs), 'part.yaml': part });
  const made = await plan(['n=5', 'secret=env:OURS']);
  expect(made.steps[0]).toMatchObject({ steps: [{ argv: ['ls'] }] });
  expect(JSON.stringify(made.steps[0])).not.toContain('"when"');
  expect(made.inputs).toMatchObject({ '1/text': '5', '1/count': 5 });
  expect(made.secrets).toHaveProperty('1/token', { env: 'OURS' });
  write({ 'r.yaml': beginningWith(step.replace("'{{ inputs.n }}'", '5'), inputs) });
  expect(await validateRecipe({ recipe: 'r.yaml', cwd: directory.path })).toMatchObject([
    { message: 'The input `text` must be text, not a number', hint: 'Write it in quotes.' },
  ]);
});

test('one that is used for each item has inputs of its own each time', async () => {
  const step = `  - uses: recipe
    forEach: [one, two]
    with: { recipe: ./notify.yaml, inputs: { channel: '{{ item }}' } }
`;
  write({ 'r.yaml': beginningWith(step), 'notify.yaml': NOTIFY });
  const { steps, secrets } = await plan();
  expect(steps.slice(0, 2)).toMatchObject([
    { id: '1.1-recipe', steps: [{ argv: ['who', 'one', '1'], register: '1.1/who' }, {}] },
    { id: '1.2-recipe', steps: [{ argv: ['who', 'two', '1'], register: '1.2/who' }, {}] },
  ]);
  expect(secrets).toEqual({ '1.1/token': { env: 'NOTIFY_TOKEN' }, '1.2/token': { env: 'NOTIFY_TOKEN' } });
});

test('one uses another, from its own directory, and names of one mean nothing in the other', async () => {
  const outer = `version: 1
kind: steps
name: Outer
inputs: { channel: { type: string } }
steps:
  - uses: block
    steps:
      - uses: recipe
        with: { recipe: ../notify.yaml, inputs: { channel: '{{ inputs.channel }}!' } }
`;
  const step = `  - uses: recipe\n    with: { recipe: ./parts/outer.yaml, inputs: { channel: sre } }\n`;
  write({ 'r.yaml': beginningWith(step), 'parts/outer.yaml': outer, 'notify.yaml': NOTIFY });
  const { steps } = await plan();
  expect(steps[0]).toMatchObject({
    steps: [
      { steps: [{ id: '1.1.1-recipe', steps: [{ argv: ['who', 'sre!', '1'], register: '1.1.1/who' }, {}] }] },
    ],
  });
});

test('a recipe of a package that is installed where the recipe is', async () => {
  const step = `  - uses: recipe\n    with: { recipe: 'npm:@team/recipes/lib/notify.yaml', inputs: { channel: sre } }\n`;
  write({
    'r.yaml': beginningWith(step),
    'node_modules/@team/recipes/lib/notify.yaml': NOTIFY,
    'node_modules/@team/outside.yaml': NOTIFY,
  });
  expect((await plan()).steps[0]).toMatchObject({ title: 'Tell the team' });
  write({ 'r.yaml': beginningWith(step.replace('lib/notify', '../outside')) });
  expect(await validateRecipe({ recipe: 'r.yaml', cwd: directory.path })).toMatchObject([
    { message: expect.stringContaining('No package `@team/recipes` with the file `../outside.yaml`') },
  ]);
});

test('steps that others use are valid, and do not run by themselves', async () => {
  write({ 'r.yaml': NOTIFY });
  await expect(plan(['channel=x'])).rejects.toMatchObject({
    code: 'USAGE',
    message: 'r.yaml has steps for other recipes, and cannot run by itself',
  });
});

test('a recipe that is used without end is refused, and so is one that is too deep', async () => {
  const use = (name: string): string => `  - uses: recipe\n    with: { recipe: ./${name}.yaml }\n`;
  const part = (...names: readonly string[]): string =>
    `version: 1\nkind: steps\nname: Part\nsteps:\n${names.map(use).join('')}`;
  const last = `version: 1\nkind: steps\nname: Last\nsteps:\n  - { uses: command, readOnly: true, with: { on: local, argv: [ls] } }\n`;
  const wide = Array<string>(9);
  write({
    'r.yaml': beginningWith(use('p1')),
    'p1.yaml': part(...wide.fill('p2')),
    'p2.yaml': part(...wide.fill('p3')),
    'p3.yaml': part(...wide.fill('last')),
    'last.yaml': last,
  });
  const messages = async (): Promise<readonly string[]> =>
    (await validateRecipe({ recipe: 'r.yaml', cwd: directory.path })).map(({ message }) => message);
  expect(await messages()).toEqual(['This recipe uses more than 200 others']);
  write({ 'p1.yaml': part('p2'), 'p2.yaml': part('p3'), 'p3.yaml': part('p4'), 'p4.yaml': part('p5') });
  write({ 'p5.yaml': part('last') });
  expect(await messages()).toEqual(['Recipes lead at most 5 files deep']);
  write({ 'p4.yaml': part('last') });
  expect(await messages()).toEqual([]);
});

test('a recipe laid over another one has its mappings, and its own lists and values', async () => {
  write({
    'team/base.yaml': `version: 1
name: The team's
inputs: { source: { type: host }, destination: { type: host, default: b } }
hosts: { source: '{{ inputs.source }}', destination: '{{ inputs.destination }}' }
workload: { process: { pidFile: /run/a.pid } }
network: { connections: keep, address: { cidr: 10.0.0.9/24, device: eth1 } }
files: [{ path: /srv/a }]
objectives: { downtime: 2s }
`,
    'middle.yaml': `version: 1
name: In between
extends: ./team/base.yaml
files: [{ path: /srv/b }, { path: /srv/c }]
steps: [{ uses: preflight }, { uses: dump }, { uses: transfer/rsync }, { uses: restore }]
`,
    'r.yaml': `version: 1
name: Ours
extends: ./middle.yaml
inputs: { source: { default: a } }
workload: { process: { pid: 7 } }
network: { address: { cidr: 10.0.0.10/24 } }
`,
  });
  expect(await plan()).toMatchObject({
    name: 'Ours',
    source: 'a',
    destination: 'b',
    workload: { kind: 'pid', pid: 7 },
    network: { connections: 'keep', address: { cidr: '10.0.0.10/24', device: 'eth1' } },
    files: [{ path: '/srv/b' }, { path: '/srv/c' }],
    objectives: { downtimeMs: 2000 },
  });
});

test('the bundled recipes can be laid under', async () => {
  write({
    'r.yaml': `version: 1
name: Ours
extends: process-rsync
inputs: { source: { default: root@a }, destination: { default: root@b } }
`,
  });
  expect(await plan(['pid=5'])).toMatchObject({ name: 'Ours', source: 'root@a', workload: { pid: 5 } });
});
