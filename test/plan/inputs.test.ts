import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadPlan } from '../../src/plan/load-plan.ts';
import { formatDiagnostics } from '../../src/recipe/diagnostic.ts';
import { RecipeError } from '../../src/recipe/recipe-error.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

const RECIPE = `version: 1
name: Move it
inputs:
  source: { type: host, description: where it runs now }
  destination: { type: host, default: b }
  pid: { type: pid }
  wait: { type: duration, default: 5s }
  text: { type: string, default: '' }
  loud: { type: bool, default: false }
  count: { type: int, default: 3 }
  place: { type: path, default: /srv/video }
  address: { type: cidr, default: 10.0.0.9/24 }
hosts: { source: '{{ inputs.source }}', destination: '{{ inputs.destination }}' }
workload: { process: { pid: '{{ inputs.pid }}' } }
network: { address: { cidr: '{{ inputs.address }}', device: eth0 } }
files: [{ path: '{{ inputs.place }}' }]
steps:
  - uses: preflight
  - uses: dump
    timeout: '{{ inputs.wait }}'
  - uses: transfer/rsync
  - uses: restore
  - uses: command
    with:
      on: source
      argv: [echo, '{{ inputs.text }}', 'x{{ inputs.text }}y', '{{ inputs.loud }}', '{{ inputs.count }}']
`;

let directory: TemporaryDirectory;
beforeAll(() => {
  directory = temporaryDirectory();
  writeFileSync(directory.at('r.yaml'), RECIPE);
});
afterAll(() => directory[Symbol.dispose]());

const load = (...inputs: string[]) => loadPlan({ recipe: 'r.yaml', inputs, cwd: directory.path });

/** What is printed when the inputs are refused. */
async function refusal(...inputs: string[]): Promise<string> {
  const error = await load(...inputs).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof RecipeError)) throw new Error('accepted, or a bug', { cause: error });
  return `${error.code}\n${formatDiagnostics(error.diagnostics)}`;
}

async function argvOf(...inputs: string[]): Promise<readonly string[]> {
  const step = (await load('source=a', 'pid=1', ...inputs)).steps.at(-1);
  return step?.uses === 'command' ? step.argv : [];
}

test('texts become what their inputs are, and defaults stand in', async () => {
  const plan = await load('source=root@a', 'pid=0004711', 'wait=2m');
  expect(plan).toMatchObject({ source: 'root@a', destination: 'b', workload: { kind: 'pid', pid: 4711 } });
  expect(plan.steps[1]?.timeoutMs).toBe(120_000);
  expect(await argvOf('loud=true', 'count=-12')).toEqual(['echo', '', 'xy', 'true', '-12']);
});

test('everything after the first = is the value', async () => {
  expect((await argvOf('text=a=b='))[1]).toBe('a=b=');
});

test('what is missing is asked for at once, with what it is', async () => {
  expect(await refusal()).toBe(
    [
      'INPUT_INVALID',
      'r.yaml:3:1  error  The recipe needs the inputs `source`, `pid`',
      '   2 | name: Move it',
      '   3 | inputs:',
      '     | ^^^^^^',
      'help: Add -i source=… -i pid=…',
      '      source: host, where it runs now',
      '      pid: pid',
    ].join('\n'),
  );
});

test('what is unknown, wrong, twice or nothing is named, and nothing is named twice', async () => {
  const text = await refusal('surce=a', 'pid=many', 'pid=2', 'foo', 'zzzzz=1');
  expect(text.split('\n').filter((line) => line.includes('error'))).toEqual([
    'r.yaml:3:1  error  There is no input `surce`. Did you mean `source`?',
    'r.yaml:3:1  error  The input `pid` is given twice',
    'r.yaml:3:1  error  `foo` is not NAME=VALUE',
    expect.stringContaining('There is no input `zzzzz`. The inputs are `source`, `destination`, `pid`'),
    'r.yaml:6:3  error  The input `pid` must be a process id from 1 to 4194304, not "many"',
  ]);
});

describe('a value of the wrong kind is refused with the place of its input', () => {
  test.each([
    ['source=-oProxyCommand=reboot', 'r.yaml:4:3', 'must be a host as ssh names it'],
    ['source=a b', 'r.yaml:4:3', 'must be a host as ssh names it'],
    ['pid=0', 'r.yaml:6:3', 'must be a process id from 1 to 4194304, not 0'],
    ['pid=1.5', 'r.yaml:6:3', 'must be a process id'],
    ['pid=', 'r.yaml:6:3', 'must be a process id from 1 to 4194304, not an empty text'],
    ['wait=5', 'r.yaml:7:3', 'must be a duration from `1ms` to `500h`, such as `2s`, not "5"'],
    ['text=\0', 'r.yaml:8:3', 'must be text without NUL characters'],
    ['loud=yes', 'r.yaml:9:3', 'must be `true` or `false`, not "yes"'],
    ['count=many', 'r.yaml:10:3', 'must be a whole number'],
    ['place=srv', 'r.yaml:11:3', 'must be an absolute path, not "srv"'],
    ['address=10.0.0.9', 'r.yaml:12:3', 'must be an address with its prefix length'],
    ['__proto__=1', 'r.yaml:3:1', 'There is no input `__proto__`'],
  ])('%j', async (input, place, message) => {
    const others = ['source=a', 'pid=1'].filter((other) => other.split('=')[0] !== input.split('=')[0]);
    const text = await refusal(input, ...others);
    expect(text).toContain(place);
    expect(text).toContain(message);
    expect(text.match(/ {2}error {2}/g)).toHaveLength(1);
  });
});

test('a template that yields the wrong kind has its place, and the input that it is from', async () => {
  expect(await refusal('source=a', 'pid=1', 'place=/')).toBe(
    [
      'RECIPE_INVALID',
      'r.yaml:16:17  error  files[0].path must be an absolute path below `/`, without `.`, `..` or needless slashes, not "/"',
      "  15 | network: { address: { cidr: '{{ inputs.address }}', device: eth0 } }",
      "  16 | files: [{ path: '{{ inputs.place }}' }]",
      '     |                 ^^^^^^^^^^^^^^^^^^^^',
      'help: It comes from -i place=…',
    ].join('\n'),
  );
});

test('hosts that turn out to be one', async () => {
  expect(await refusal('source=root@B', 'pid=1')).toContain(
    'The source and the destination are the same host, b',
  );
});

test('whatever is given arrives as it is, and is never rendered again', async () => {
  const value = fc.oneof(
    fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0')),
    fc
      .array(
        fc.constantFrom('{{ inputs.pid }}', '{{', '}}', '{% raw %}', "'", '"', '\n', '\\', '$(id)', '`', '='),
      )
      .map((parts) => parts.join('')),
  );
  await fc.assert(
    fc.asyncProperty(value, async (text) => {
      expect((await argvOf(`text=${text}`)).slice(1, 3)).toEqual([text, `x${text}y`]);
    }),
  );
});
