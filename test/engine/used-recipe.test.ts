import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { runPlan } from '../../src/engine/run-plan.ts';
import { loadPlan } from '../../src/plan/load-plan.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

test('the steps of a recipe that is used see their own results and secrets while the run runs', async () => {
  using directory = temporaryDirectory();
  vi.stubEnv('XDG_STATE_HOME', directory.at('state'));
  vi.stubEnv('OURS', 'open sesame');
  vi.stubEnv('FILE', directory.at('said'));
  const command = (argv: readonly string[], more: string): string =>
    `  - uses: command\n    readOnly: true\n    with: { on: local, argv: ${JSON.stringify(argv)} ${more}\n`;
  writeFileSync(
    directory.at('say.yaml'),
    `version: 1
kind: steps
name: Say
inputs: { word: { type: string }, token: { type: secret } }
steps:
${command(['printf', '%s', '{{ inputs.word }}'], '}\n    register: word')}
${command(
  ['sh', '-c', 'echo "$1 $TOKEN" >> "$FILE"', 'sh', '{{ results.word.stdout }}'],
  ", env: { TOKEN: '{{ inputs.token }}' } }\n    if: \"{{ results.word.stdout != 'never' }}\"",
)}`,
  );
  const use = (word: string): string =>
    `  - { uses: recipe, with: { recipe: ./say.yaml, inputs: { word: ${word}, token: '{{ inputs.secret }}' } } }\n`;
  writeFileSync(
    directory.at('r.yaml'),
    `version: 1
name: Move
inputs: { secret: { type: secret } }
hosts: { source: local, destination: elsewhere }
workload: { process: { pid: 1 } }
steps:
${use('one')}${use('never')}${use('two')}  - uses: preflight
  - uses: dump
  - uses: transfer/rsync
  - uses: restore
`,
  );
  const plan = await loadPlan({ recipe: 'r.yaml', inputs: ['secret=env:OURS'], cwd: directory.path });
  // What moves nothing needs no second host.
  const steps = plan.steps.filter(({ uses }) => uses === 'block');
  const summary = await runPlan(
    { ...plan, destination: 'local', steps },
    { emit: () => {}, signal: new AbortController().signal },
  );
  expect(summary.failure).toBeUndefined();
  expect(readFileSync(directory.at('said'), 'utf8')).toBe('one open sesame\ntwo open sesame\n');
  vi.unstubAllEnvs();
});
