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

async function argvOf(...inputs: string[]): Promise<readonly unknown[]> {
  const step = (await load('source=a', 'pid=1', ...inputs)).steps.at(-1);
  return step?.uses === 'command' ? step.argv : [];
}

test('texts become what their inputs are, and defaults stand in', async () => {
  const plan = await load('source=root@a', 'pid=0004711', 'wait=2m');
  expect(plan).toMatchObject({ source: 'root@a', destination: 'b', workload: { kind: 'pid', pid: 4711 } });
  expect(plan.steps[2]?.timeoutMs).toBe(120_000);
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

describe('where inputs come from', () => {
  const KINDS = `version: 1
name: Kinds
inputs:
  mode: { type: enum, values: [fast, careful], default: fast }
  units: { type: list, default: [nginx.service] }
  dirs: { type: list, items: path, default: [/srv] }
  size: { type: bytes, default: 64MiB }
  port: { type: port, default: 80 }
  unit: { type: string, pattern: '[a-z]+\\.service', default: cron.service }
  pidFile: { type: path, default: /run/a.pid }
  token: { type: secret, from: { env: TOKEN } }
hosts: { source: a, destination: b }
workload: { process: { pidFile: '{{ inputs.pidFile }}' } }
steps:
  - uses: preflight
  - uses: command
    readOnly: true
    with:
      on: source
      argv: [ls, '{{ inputs.mode }}', '{{ inputs.units }}', '{{ inputs.dirs }}', '{{ inputs.size }}', '{{ inputs.port }}', '{{ inputs.unit }}']
      stdin: '{{ inputs.token }}'
  - uses: dump
  - uses: transfer/rsync
  - uses: restore
`;
  const plan = async (more: Partial<Parameters<typeof loadPlan>[0]> = {}): ReturnType<typeof loadPlan> => {
    writeFileSync(directory.at('kinds.yaml'), KINDS);
    return loadPlan({ recipe: 'kinds.yaml', inputs: [], cwd: directory.path, ...more });
  };
  const refusals = async (more: Partial<Parameters<typeof loadPlan>[0]>): Promise<string[]> => {
    const error = await plan(more).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof RecipeError)) throw new Error('accepted, or a bug', { cause: error });
    return error.diagnostics.map(
      ({ location: { file, line, column }, message, hint }) =>
        `${file}:${line}:${column} ${message} | ${hint ?? ''}`,
    );
  };
  const file = (name: string, text: string): string[] => {
    writeFileSync(directory.at(name), text);
    return [name];
  };

  test('the command line, then files, the last one first, then the environment, then the default', async () => {
    const inputFiles = [
      ...file('one.yaml', 'mode: careful\nport: 81\nsize: 1GiB\n'),
      ...file('two.yaml', 'port: 82\n'),
    ];
    const environment = {
      CRIU_FLOW_INPUT_SIZE: '2GiB',
      CRIU_FLOW_INPUT_PID_FILE: '/run/b.pid',
      CRIU_FLOW_INPUT_ELSE: 'x',
    };
    const { inputs, workload } = await plan({ inputs: ['mode=fast'], inputFiles, environment });
    expect(inputs).toEqual({
      mode: 'fast',
      units: ['nginx.service'],
      dirs: ['/srv'],
      size: '1GiB',
      port: 82,
      unit: 'cron.service',
      pidFile: '/run/b.pid',
    });
    expect(workload).toEqual({ kind: 'pid-file', path: '/run/b.pid' });
  });

  test('a list is given item by item, by a list in a file, or line by line in the environment', async () => {
    expect((await plan({ inputs: ['units=a', 'units=b c'] })).inputs['units']).toEqual(['a', 'b c']);
    expect((await plan({ inputFiles: file('l.yaml', 'units: [a, b c]\n') })).inputs['units']).toEqual([
      'a',
      'b c',
    ]);
    expect((await plan({ environment: { CRIU_FLOW_INPUT_UNITS: 'a\nb c\n' } })).inputs['units']).toEqual([
      'a',
      'b c',
    ]);
    const { steps } = await plan({ inputs: ['units=a', 'units=b c'] });
    expect(steps[1]).toMatchObject({
      argv: ['ls', 'fast', 'a', 'b c', '/srv', '64MiB', '80', 'cron.service'],
    });
  });

  test('what is wrong in a file is shown in that file', async () => {
    const text = 'mdoe: fast\nport: http\nunit: 5\n';
    expect(await refusals({ inputFiles: file('w.yaml', text) })).toEqual([
      'w.yaml:1:1 There is no input `mdoe` | Did you mean `mode`?',
      expect.stringContaining('The input `port` must be a port from 1 to 65535, not "http"'),
      expect.stringContaining('The input `unit` must match'),
    ]);
    expect(await refusals({ inputFiles: file('n.yaml', 'size: 64\n') })).toEqual([
      expect.stringContaining('must be a size such as `64MiB`, not 64 | Add the unit, for example `64MiB`.'),
    ]);
    expect(await refusals({ inputFiles: file('s.yaml', 'just text\n') })).toEqual([
      's.yaml:1:1 These are not inputs | Write `name: value`, one on each line.',
    ]);
    expect(await refusals({ inputFiles: file('e.yaml', '\n') })).toEqual([
      'e.yaml:1:1 The file of inputs is empty | Write `name: value`, one on each line.',
    ]);
    await expect(plan({ inputFiles: ['none.yaml'] })).rejects.toMatchObject({
      code: 'USAGE',
      message: 'The inputs in none.yaml cannot be read: there is no such file',
    });
  });

  test.each([
    ['mode=carefull', 'The input `mode` cannot be "carefull" | Did you mean `careful`?'],
    ['dirs=srv', 'The input `dirs`[0] must be an absolute path, not "srv"'],
    ['size=64mb', 'The units are B, KiB, MiB, GiB and TiB'],
    ['unit=Cron.service', 'must match `[a-z]+\\.service`, and "Cron.service" does not'],
    ['port=0', 'must be a port from 1 to 65535, not 0'],
  ])('%s is refused', async (input, message) => {
    expect(await refusals({ inputs: [input] })).toEqual([expect.stringContaining(message)]);
  });

  describe('a secret', () => {
    test('is in no plan, only where it is', async () => {
      const { secrets, inputs, steps } = await plan({ environment: { TOKEN: 'hunter2' } });
      expect(secrets).toEqual({ token: { env: 'TOKEN' } });
      expect(inputs).not.toHaveProperty('token');
      expect(steps[1]).toMatchObject({ stdin: { template: '{{ inputs.token }}' } });
      expect((await plan({ inputs: ['token=file:/run/token'] })).secrets).toEqual({
        token: { file: '/run/token' },
      });
      expect((await plan({ environment: { CRIU_FLOW_INPUT_TOKEN: 'hunter2' } })).secrets).toEqual({
        token: { env: 'CRIU_FLOW_INPUT_TOKEN' },
      });
    });

    test('that is given in the open is refused without being repeated', async () => {
      for (const more of [
        { inputs: ['token=hunter2'] },
        { inputFiles: file('t.yaml', 'token: hunter2\n') },
      ]) {
        const [only = '', ...others] = await refusals(more);
        expect(others).toEqual([]);
        expect(only).toContain('The input `token` is a secret: its value cannot be given here');
        expect(only).not.toContain('hunter2');
      }
    });
  });

  describe('a person is asked', () => {
    const MISSING = KINDS.replaceAll(/, default: (\[[^\]]*\]|[^ ]+) \}/g, ' }').replace(
      'mode: {',
      'mode: { description: how,',
    );
    const ask = (answers: readonly string[], questions: string[]) => {
      const left = [...answers];
      return async ({ name, problem }: { name: string; problem: { message: string } | undefined }) => {
        questions.push(problem ? `${name}: ${problem.message}` : name);
        return left.shift() ?? '';
      };
    };

    test('for what is missing, in order, until the answer will do', async () => {
      writeFileSync(directory.at('missing.yaml'), MISSING);
      const questions: string[] = [];
      const answers = ['slow', 'careful', 'nginx.service', '/srv', '1MiB', '80', 'a.service', '/run/c.pid'];
      const found = await loadPlan({
        recipe: 'missing.yaml',
        inputs: [],
        cwd: directory.path,
        ask: ask(answers, questions),
      });
      expect(questions).toEqual([
        'mode',
        'mode: The input `mode` cannot be "slow"',
        ...['units', 'dirs', 'size', 'port', 'unit', 'pidFile'],
      ]);
      expect(found.inputs).toMatchObject({ mode: 'careful', units: ['nginx.service'], port: 80 });
    });

    test('but not for a secret, and not while another mistake is there', async () => {
      writeFileSync(directory.at('missing.yaml'), MISSING.replace(', from: { env: TOKEN }', ''));
      const questions: string[] = [];
      const loadMissing = (...inputs: string[]) =>
        loadPlan({ recipe: 'missing.yaml', inputs, cwd: directory.path, ask: ask([], questions) });
      await expect(loadMissing()).rejects.toMatchObject({
        message: expect.stringContaining('needs the inputs'),
      });
      await expect(loadMissing('mdoe=x')).rejects.toMatchObject({
        message: expect.stringContaining('There is no input'),
      });
      expect(questions).toEqual([]);
    });
  });
});
