import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { loadPlan, validateRecipe } from '../../src/plan/load-plan.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const BUNDLED = {
  'process-rsync': ['source=root@a', 'destination=root@b', 'pid=4711'],
  'process-auto': ['source=root@a', 'destination=root@b', 'pid=4711'],
  'process-post-copy': ['source=root@a', 'destination=root@b', 'pid=4711'],
  'process-pre-copy': ['source=root@a', 'destination=root@b', 'pid=4711'],
  'process-sftp': ['source=root@a', 'destination=root@b', 'pid=4711'],
  'process-stream': ['source=root@a', 'destination=root@b', 'pid=4711'],
  'process-shared': ['source=root@a', 'destination=root@b', 'pid=4711', 'directory=/srv/shared'],
  'tcp-service-rsync': [
    ...['source=root@a', 'destination=root@b', 'pidFile=/run/service.pid'],
    ...['address=10.0.0.9/24', 'port=7000', 'files=/srv/service'],
  ],
};

describe.each(Object.entries(BUNDLED))('the bundled recipe %s', (name, inputs) => {
  test('has this plan', async () => {
    const plan = await loadPlan({ recipe: `recipes/${name}.yaml`, inputs, cwd: root });
    await expect(`${JSON.stringify(plan, null, 2)}\n`).toMatchFileSnapshot(`golden/${name}.json`);
  });

  test('runs by its name, from anywhere', async () => {
    const plan = await loadPlan({ recipe: name, inputs, cwd: '/' });
    const {
      file: _,
      digest: __,
      ...rest
    } = await loadPlan({ recipe: `recipes/${name}.yaml`, inputs, cwd: root });
    expect(plan).toMatchObject({ ...rest, file: join(root, 'recipes', `${name}.yaml`) });
  });

  test('tells at its top what it is for, what it needs and risks, how to undo it, and a command that works', async () => {
    const [header = ''] = readFileSync(join(root, 'recipes', `${name}.yaml`), 'utf8').split('version: 1');
    const words = [...header.matchAll(/^# ([A-Z][a-z]+) {2,}\S/gm)].map(([, word]) => word);
    expect(words).toEqual(expect.arrayContaining(['Purpose', 'Needs', 'Risk', 'Undo', 'Copies']));
    expect(header).toContain(`#   criu-flow run ${name} -i `);
    const given = [...header.matchAll(/-i (\S+=\S+)/g)].map(([, input = '']) => input);
    await expect(loadPlan({ recipe: name, inputs: given, cwd: '/' })).resolves.toBeDefined();
  });

  test('has no warnings', async () => {
    expect(await validateRecipe({ recipe: name, cwd: '/' })).toEqual([]);
  });
});

const RECIPE = `version: 1
name: Move it
hosts: { source: a, destination: b }
workload: { process: { pid: 4711 } }
steps:
  - uses: preflight
  - uses: dump
  - uses: transfer/rsync
  - uses: restore
`;

async function planOf(text: string): Promise<Plan> {
  using directory = temporaryDirectory();
  writeFileSync(directory.at('r.yaml'), text);
  return await loadPlan({ recipe: 'r.yaml', inputs: [], cwd: directory.path });
}

test('commit follows restore when it is left out, and the ids count it', async () => {
  const { steps } = await planOf(`${RECIPE}  - { uses: command, with: { on: local, argv: [ls] } }\n`);
  expect(steps.map(({ id }) => id)).toEqual([
    ...['1-preflight', 'prepare', '2-dump', '3-transfer', '4-restore', '5-commit', '6-command'],
  ]);
});

test('commit stands where the recipe has it', async () => {
  const verify = '  - { uses: verify, with: { checks: [{ tcp: { address: a, port: 1 } }] } }\n';
  const { steps } = await planOf(`${RECIPE}${verify}  - uses: commit\n`);
  expect(steps.map(({ id }) => id).slice(4)).toEqual(['4-restore', '5-verify', '6-commit']);
});

test('a plan of everything', async () => {
  const plan = await planOf(`version: 1
name: Everything
hosts: { source: local, destination: root@b }
workload: { process: { executable: /usr/bin/video, arguments: [--port, '80'] } }
network: { connections: close, address: { cidr: fd00::9/64 } }
files: [{ path: /srv/a }, { path: /srv/b }]
objectives: { downtime: 1500ms }
steps:
  - uses: preflight
    name: Look first
  - uses: command
    with: { on: source, argv: [systemctl, stop, timer] }
    rollback:
      - { uses: command, with: { on: source, argv: [systemctl, start, timer] } }
  - uses: dump
    timeout: 2m
  - uses: transfer/rsync
  - uses: restore
  - uses: verify
    with:
      checks:
        - http: { url: 'http://[fd00::9]/', status: 204, timeout: 1s, from: destination }
        - http: { url: 'http://a/' }
        - tcp: { address: fd00::9, port: 80 }
        - command: { on: destination, argv: [systemctl, is-active, video] }
`);
  expect(plan).toMatchObject({
    workload: { kind: 'executable', path: '/usr/bin/video', arguments: ['--port', '80'] },
    network: { connections: 'close', address: { cidr: 'fd00::9/64', device: 'eth0' } },
    files: [{ path: '/srv/a' }, { path: '/srv/b' }],
    objectives: { downtimeMs: 1500 },
  });
  expect(plan.steps[0]?.title).toBe('Look first');
  expect(plan.steps[1]).toEqual({
    id: '2-command',
    title: 'Run systemctl on the source',
    uses: 'command',
    on: 'source',
    argv: ['systemctl', 'stop', 'timer'],
    rollback: [{ on: 'source', argv: ['systemctl', 'start', 'timer'] }],
  });
  expect(plan.steps[3]?.timeoutMs).toBe(120_000);
  expect(plan.steps[7]).toMatchObject({
    id: '7-verify',
    checks: [
      { kind: 'http', url: 'http://[fd00::9]/', statuses: [204], timeoutMs: 1000, from: 'destination' },
      { kind: 'http', url: 'http://a/', statuses: [200], timeoutMs: 5000, from: 'local' },
      { kind: 'tcp', address: 'fd00::9', port: 80, timeoutMs: 5000, from: 'local' },
      { kind: 'command', on: 'destination', argv: ['systemctl', 'is-active', 'video'], timeoutMs: 60_000 },
    ],
  });
});

describe('the digest', () => {
  test('is over the plan, not over how the recipe is written', async () => {
    const { digest } = await planOf(RECIPE);
    const rewritten = `# a comment
steps: [{ uses: preflight }, { uses: dump }, { uses: transfer/rsync }, { uses: restore }, { uses: commit }]
workload:
  process:
    pid: 0x1267
hosts: { destination: "b", source: 'a' }
name: Move it
version: 1
`;
    expect((await planOf(rewritten)).digest).toBe(digest);
    expect((await planOf(RECIPE.replaceAll('\n', '\r\n'))).digest).toBe(digest);
    expect((await planOf(`\ufeff${RECIPE}`)).digest).toBe(digest);
  });

  test('is another one for another plan', async () => {
    const { digest } = await planOf(RECIPE);
    for (const other of [RECIPE.replace('4711', '4712'), `${RECIPE}    timeout: 1m\n`]) {
      expect((await planOf(other)).digest).not.toBe(digest);
    }
  });

  test('is sha256 over JSON with sorted keys', async () => {
    const { digest, ...plan } = await planOf(RECIPE);
    const sorted = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(sorted)
        : typeof value === 'object' && value !== null
          ? Object.fromEntries(
              Object.keys(value)
                .toSorted()
                .map((key) => [key, sorted(Reflect.get(value, key))]),
            )
          : value;
    const expected = createHash('sha256')
      .update(JSON.stringify(sorted(plan)))
      .digest('hex');
    expect(digest).toBe(expected);
    // The same on every machine, and in every release that does not change what is done.
    expect(digest).toMatchInlineSnapshot(
      `"7960d16a5c527ae19cf59f7d023ce1840301aade1148c1ecd7dabb78679a2723"`,
    );
  });
});

test('hooks stand around what they are named after, in the order in which it is done', async () => {
  const hook = (name: string, more = 'readOnly: true'): string =>
    `{ uses: command, name: ${name}, with: { on: local, argv: [ls] }, ${more} }`;
  const { steps } =
    await planOf(`${RECIPE}  - { uses: verify, with: { checks: [{ tcp: { address: a, port: 1 } }] } }
hooks:
  preflight: { before: [${hook('one')}], after: [${hook('two')}] }
  prepare: { before: [${hook('three')}], after: [${hook('four')}] }
  dump: { before: [${hook('five')}], after: [${hook('six')}] }
  transfer: { before: [${hook('seven')}] }
  restore: { after: [${hook('eight')}] }
  commit: { before: [${hook('nine')}, ${hook('ten')}], after: [${hook('eleven')}] }
  verify: { before: [${hook('twelve')}], after: [${hook('thirteen')}] }
`);
  expect(steps.map(({ id, title }) => (id.includes('command') ? `${id} ${title}` : id))).toEqual([
    'preflight.before.1-command one',
    '1-preflight',
    'preflight.after.1-command two',
    'prepare.before.1-command three',
    'prepare',
    'prepare.after.1-command four',
    'dump.before.1-command five',
    '2-dump',
    'dump.after.1-command six',
    'transfer.before.1-command seven',
    '3-transfer',
    '4-restore',
    'restore.after.1-command eight',
    'commit.before.1-command nine',
    'commit.before.2-command ten',
    '5-commit',
    'commit.after.1-command eleven',
    'verify.before.1-command twelve',
    '6-verify',
    'verify.after.1-command thirteen',
  ]);
});

test('probes are asked before, during and after, and by verify, by their names', async () => {
  const plan =
    await planOf(`${RECIPE}  - { uses: verify, with: { checks: [health, { tcp: { address: a, port: 1 } }] } }
probes:
  health:
    http: { url: 'http://a/health', status: [200, 204], body: '^up', within: 300ms }
checks:
  before: [health]
  during: [{ probe: health, every: 100ms, outage: 3s }]
  after: [{ command: { on: destination, argv: [ls], exitCodes: [0, 2], stdout: 'x' } }]
`);
  const health = {
    ...{ kind: 'http', url: 'http://a/health', statuses: [200, 204], body: '^up', withinMs: 300 },
    ...{ timeoutMs: 5000, from: 'local', probe: 'health' },
  };
  expect(plan.steps.map(({ id }) => id)).toEqual([
    ...[
      '1-preflight',
      'checks.before',
      'prepare',
      '2-dump',
      '3-transfer',
      '4-restore',
      '5-commit',
      '6-verify',
    ],
    'checks.after',
  ]);
  expect(plan.steps[1]).toMatchObject({ uses: 'verify', checks: [health] });
  expect(plan.steps[7]).toMatchObject({ checks: [health, { kind: 'tcp' }] });
  expect(plan.steps[8]).toMatchObject({
    checks: [{ kind: 'command', on: 'destination', exitCodes: [0, 2], stdout: 'x' }],
  });
  expect(plan.watches).toEqual([{ probe: 'health', check: health, everyMs: 100, outageMs: 3000 }]);
});

test('an approval has a question, people, how many and an expiry', async () => {
  const approve = 'with: { message: Now?, by: [alice, bob], approvals: 2, expires: 30m }';
  const { steps } = await planOf(
    RECIPE.replace('steps:', `steps:\n  - uses: approve\n    ${approve}\n  - uses: approve`),
  );
  expect(steps.slice(0, 2)).toEqual([
    {
      ...{ id: '1-approve', title: 'Wait for approval', uses: 'approve', rollback: [] },
      ...{ message: 'Now?', by: ['alice', 'bob'], approvals: 2, expiresMs: 1_800_000 },
    },
    expect.objectContaining({ message: 'Go on with the run?', by: [], approvals: 1, expiresMs: 3_600_000 }),
  ]);
});

test('`forEach` takes a list that is an input', async () => {
  const { steps } = await planOf(
    `${RECIPE}  - uses: command
    forEach: '{{ inputs.units }}'
    with: { on: local, argv: [echo, '{{ item }}'] }
`.replace('name: Move it', 'name: Move it\ninputs: { units: { type: list, default: [a, b] } }'),
  );
  expect(steps.slice(6)).toMatchObject([{ id: '6.1-command', argv: ['echo', 'a'] }, { argv: ['echo', 'b'] }]);
});
