import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import schema from '../../schemas/recipe.schema.json' with { type: 'json' };
import { loadPlan } from '../../src/plan/load-plan.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const { network } = schema.properties;
const { httpCheck, tcpCheck, commandCheck, watch, retry, approveStep } = schema.definitions;

type Properties = Readonly<Record<string, object>>;

/** A recipe in which everything that has a default is left out, or has that default. */
async function planOf(defaultsOf: (properties: Properties) => object): Promise<Plan> {
  const recipe = {
    version: 1,
    name: 'Move it',
    hosts: { source: 'a', destination: 'b' },
    workload: { process: { pid: 1 } },
    network: {
      ...defaultsOf(network.properties),
      address: { cidr: '10.0.0.9/24', ...defaultsOf(network.properties.address.properties) },
    },
    probes: {
      http: { http: { url: 'http://a/', ...defaultsOf(httpCheck.properties) } },
      tcp: { tcp: { address: 'a', port: 1, ...defaultsOf(tcpCheck.properties) } },
      // The exit codes of a plan are there only when they are other ones.
      command: {
        command: { on: 'local', argv: ['ls'], ...defaultsOf({ timeout: commandCheck.properties.timeout }) },
      },
    },
    checks: {
      before: ['http', 'tcp', 'command'],
      during: [{ probe: 'http', ...defaultsOf(watch.properties) }],
    },
    steps: [
      { uses: 'preflight' },
      { uses: 'approve', with: defaultsOf(approveStep.properties.with.properties) },
      {
        uses: 'command',
        with: { on: 'local', argv: ['ls'] },
        retry: { attempts: 3, ...defaultsOf(retry.properties) },
        irreversible: 'It only looks.',
        ...defaultsOf({ readOnly: schema.definitions.readOnly }),
      },
      ...['dump', 'transfer/rsync', 'restore'].map((uses) => ({ uses })),
    ],
  };
  using directory = temporaryDirectory();
  writeFileSync(directory.at('r.yaml'), JSON.stringify(recipe));
  const { digest: _, ...plan } = await loadPlan({ recipe: 'r.yaml', inputs: [], cwd: directory.path });
  return { ...plan, digest: '', file: '' };
}

test('what the schema calls a default is what is done without it', async () => {
  const written: string[] = [];
  const plan = await planOf((properties) => {
    const defaults = Object.entries(properties).flatMap(([name, node]) =>
      'default' in node ? [[name, node.default] as const] : [],
    );
    written.push(...defaults.map(([name]) => name));
    return Object.fromEntries(defaults);
  });
  expect(written.length).toBeGreaterThan(15);
  expect(plan).toEqual(await planOf(() => ({})));
});
