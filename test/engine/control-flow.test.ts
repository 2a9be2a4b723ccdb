import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runPlan } from '../../src/engine/run-plan.ts';
import { FlowError } from '../../src/errors/flow-error.ts';
import type { FlowEvent, RunSummary } from '../../src/events/event.ts';
import { buildPlan } from '../../src/plan/build-plan.ts';
import type { ResolvedInputs } from '../../src/plan/inputs.ts';
import { Locations } from '../../src/recipe/locations.ts';
import type { Command, Recipe, Step } from '../../src/recipe/recipe.generated.ts';
import { SourceFile } from '../../src/recipe/source-file.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts';

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = temporaryDirectory();
  vi.stubEnv('XDG_STATE_HOME', directory.at('state'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  directory[Symbol.dispose]();
});

const sh = (script: string, ...args: readonly string[]): Command => ({
  on: 'local',
  argv: ['sh', '-c', script, 'sh', ...args],
});
/** Writes a line into the diary of the test. */
const note = (line: string): Command => sh('echo "$2" >> "$1"', directory.at('diary'), line);
const fail = (): Command => sh('echo broken >&2; exit 3');
const command = (spec: Command, more: object = {}): Step & { uses: 'command' } => ({
  uses: 'command',
  with: spec,
  ...more,
});
const undo = (line: string): object => ({ rollback: [{ uses: 'command', with: note(line) }] });

interface Run {
  readonly summary: RunSummary;
  readonly events: readonly FlowEvent[];
  readonly diary: readonly string[];
}

/** Runs steps that move nothing, on this machine. */
async function run(
  recipe: Partial<Recipe> & { readonly steps: readonly Step[] },
  inputs: Partial<ResolvedInputs> = {},
  options: { readonly signal?: AbortSignal; readonly onEvent?: (event: FlowEvent) => void } = {},
): Promise<Run> {
  const data = {
    version: 1,
    name: 'a recipe',
    hosts: { source: 'local', destination: 'elsewhere' },
    workload: { process: { pid: 1 } },
    ...recipe,
  } as Recipe;
  const source = new SourceFile('r.yaml', '');
  const locations = new Locations({ source, value: [0, 0] });
  const valid = { source, data, locations, used: new Map() };
  const plan = buildPlan(valid, { values: new Map(), secrets: {}, ...inputs });
  const events: FlowEvent[] = [];
  // Every plan has a commit, and these move nothing.
  const steps = plan.steps.filter(({ uses }) => uses !== 'commit');
  const summary = await runPlan(
    { ...plan, destination: 'local', steps },
    {
      emit: (event) => {
        events.push(event);
        options.onEvent?.(event);
      },
      signal: options.signal ?? new AbortController().signal,
    },
  );
  const file = directory.at('diary');
  const diary = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  return { summary, events, diary };
}

describe('conditions and results', () => {
  test('a step is done when its condition holds, and is told to be skipped when it does not', async () => {
    const { diary, events } = await run(
      {
        steps: [
          command(note('never'), { if: false }),
          command(note('careful'), { if: "{{ inputs.mode == 'careful' }}" }),
          command(note('fast'), { if: "{{ inputs.mode == 'fast' }}" }),
          { uses: 'block', if: false, steps: [command(note('never'))], always: [command(note('never'))] },
        ],
      },
      { values: new Map([['mode', 'careful']]) },
    );
    expect(diary).toEqual(['careful']);
    const skipped = events.flatMap((event) =>
      event.kind === 'step-finished' && event.result.status === 'skipped' ? [event.stepId] : [],
    );
    expect(skipped).toEqual(['1-command', '3-command', '4.1-command', '4.2-command']);
  });

  test('a result is read by the steps after it, unchanged; what was skipped has an empty one', async () => {
    const { diary, summary } = await run({
      steps: [
        command(sh('printf "it\'s \\$(reboot)\\n\\n"; exit 3'), { register: 'look', exitCodes: [0, 3] }),
        command(note('never'), { register: 'skipped', if: false }),
        command(note('{{ results.look.stdout }}'), {
          if: "{{ results.look.exitCode == 3 and results.skipped.status == 'skipped' }}",
        }),
        command(note('never'), { if: "{{ results.look.stdout == 'else' }}" }),
      ],
    });
    expect(summary.failure).toBeUndefined();
    expect(diary).toEqual(["it's $(reboot)"]);
  });

  test('a list that an argument yields becomes arguments', async () => {
    const { diary } = await run({
      steps: [
        command(sh('printf "a b\\nc\\n"'), { register: 'names' }),
        command(
          sh(
            'f=$1; shift; for name; do echo "$name" >> "$f"; done',
            directory.at('diary'),
            ...['{{ results.names.stdout | lines }}'],
          ),
        ),
      ],
    });
    expect(diary).toEqual(['a b', 'c']);
  });

  test('more than a result has room for is an error, and not cut', async () => {
    const { summary } = await run({ steps: [command(sh('head -c 70000 /dev/zero'), { register: 'all' })] });
    expect(summary.failure).toMatchObject({
      code: 'COMMAND_FAILED',
      message: expect.stringContaining('64 KiB'),
    });
  });

  test('forEach does a step, or a block, once for each item', async () => {
    const { diary, events } = await run(
      {
        steps: [
          command(note('{{ item }}'), {
            forEach: '{{ inputs.units }}',
            name: 'Note',
            ...undo('undo {{ item }}'),
          }),
          { uses: 'block', forEach: ['x', 'y'], steps: [command(note('in {{ item }}'))] },
          command(fail()),
        ],
      },
      { values: new Map([['units', ['a', 'b']]]) },
    );
    expect(diary).toEqual(['a', 'b', 'in x', 'in y', 'undo b', 'undo a']);
    const [started] = events;
    expect(started).toMatchObject({
      steps: [
        { id: '1.1-command', title: 'Note: a' },
        { id: '1.2-command', title: 'Note: b' },
        { id: '2.1.1-command' },
        { id: '2.2.1-command' },
        { id: '3-command' },
        { id: 'clean-up' },
      ],
    });
  });
});

describe('retries', () => {
  test('a step is tried again until it does well, and its undo is there once', async () => {
    const counted = sh('echo try >> "$1"; [ "$(grep -c try "$1")" -ge 3 ]', directory.at('diary'));
    const { diary, summary } = await run({
      retries: { quick: { attempts: 5, delay: '1ms' } },
      steps: [command(counted, { retry: 'quick', ...undo('undo') }), command(fail())],
    });
    expect(diary).toEqual(['try', 'try', 'try', 'undo']);
    expect(summary.failure?.message).toContain('exit code 3');
  });

  test('the last failure counts, and the timeout of the step ends the waits', async () => {
    const { summary, diary } = await run({
      steps: [
        command(sh('echo try >> "$1"; exit 1', directory.at('diary')), {
          retry: { attempts: 2, delay: '1ms' },
        }),
      ],
    });
    expect(diary).toEqual(['try', 'try']);
    expect(summary.failure).toMatchObject({ code: 'COMMAND_FAILED' });
    const late = await run({
      steps: [command(fail(), { timeout: '300ms', retry: { attempts: 9, delay: '1h', maxDelay: '1h' } })],
    });
    expect(late.summary).toMatchObject({ exitCode: 124, failure: { code: 'TIMEOUT' } });
  });
});

describe('blocks', () => {
  test('what fails is rescued, what always runs does, and the run goes on', async () => {
    const { diary, summary, events } = await run({
      steps: [
        {
          uses: 'block',
          name: 'Watchdog',
          steps: [command(note('one')), command(fail()), command(note('never'))],
          rescue: [command(note('rescue'))],
          always: [command(note('always'))],
        },
        command(note('after')),
      ],
    });
    expect(diary).toEqual(['one', 'rescue', 'always', 'after']);
    expect(summary.failure).toBeUndefined();
    expect(summary.warnings).toEqual(['“Watchdog” was rescued: sh on local ended with exit code 3']);
    expect(events.filter(({ kind }) => kind === 'block-finished')).toEqual([
      { kind: 'block-finished', stepId: '1-block' },
    ]);
  });

  test('without a failure there is nothing to rescue', async () => {
    const { diary, summary } = await run({
      steps: [{ uses: 'block', steps: [command(note('one'))], rescue: [command(note('never'))] }],
    });
    expect(diary).toEqual(['one']);
    expect(summary.failure).toBeUndefined();
  });

  test('a rescue that fails, or is not there, fails the run, after what always runs', async () => {
    const { diary, summary } = await run({
      steps: [
        {
          uses: 'block',
          steps: [
            {
              uses: 'block',
              steps: [command(note('one'), undo('undo one')), command(fail())],
              rescue: [command(sh('exit 4'))],
              always: [command(note('inner'))],
            },
          ],
          always: [command(note('outer'))],
        },
        command(note('never')),
      ],
    });
    expect(diary).toEqual(['one', 'inner', 'outer', 'undo one']);
    expect(summary).toMatchObject({
      outcome: 'rolled-back',
      failure: { message: expect.stringContaining('code 4') },
    });
    expect(summary.warnings).toEqual(['Before that: sh on local ended with exit code 3']);
  });

  test('an interruption is not rescued; what always runs does', async () => {
    const controller = new AbortController();
    const { diary, summary } = await run(
      {
        steps: [
          {
            uses: 'block',
            steps: [command(sh('exec sleep 60'))],
            rescue: [command(note('never'))],
            always: [command(note('always'))],
          },
        ],
      },
      {},
      {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.kind === 'step-started' && event.stepId === '1.1-command')
            controller.abort(new FlowError('INTERRUPTED', 'stopped', { evidence: 'SIGINT' }));
        },
      },
    );
    expect(diary).toEqual(['always']);
    expect(summary).toMatchObject({ outcome: 'rolled-back', exitCode: 130 });
  });
});

describe('the end of a recipe', () => {
  const always = (): NonNullable<Recipe['always']> => [
    { uses: 'command', with: fail() },
    { uses: 'command', name: 'Tell', with: note('always') },
  ];

  test('always runs after the steps; its failure is one, and the next is done all the same', async () => {
    const { diary, summary } = await run({ steps: [command(note('one'))], always: always() });
    expect(diary).toEqual(['one', 'always']);
    expect(summary.failure).toMatchObject({ code: 'COMMAND_FAILED' });
    expect(summary.warnings).toEqual([
      '“Run sh on this machine”, which always runs, failed: sh on local ended with exit code 3',
    ]);
  });

  test('it runs after a rollback, whose last commands are the recipe’s own', async () => {
    const { diary, summary } = await run({
      steps: [command(note('one'), undo('undo one')), command(sh('exit 9'))],
      rollback: [
        { uses: 'command', with: note('recipe') },
        { uses: 'command', with: note('recipe again') },
      ],
      always: always(),
    });
    expect(diary).toEqual(['one', 'undo one', 'recipe', 'recipe again', 'always']);
    expect(summary).toMatchObject({
      outcome: 'rolled-back',
      failure: { message: expect.stringContaining('code 9') },
    });
  });

  test('what only looks is nothing to roll back', async () => {
    const { diary, summary } = await run({
      steps: [command(fail(), { readOnly: true })],
      rollback: [{ uses: 'command', with: note('never') }],
    });
    expect(diary).toEqual([]);
    expect(summary).toMatchObject({ outcome: 'refused', exitCode: 4 });
  });
});

describe('values', () => {
  test.each(["it's", '$(reboot)', '`id`', '-rf', 'a\nb', ' a ', '"', '\\', '*', 'ä\u202e'])(
    '%j arrives in a variable, an argument and the standard input as it is',
    async (value) => {
      const read = sh(
        'printf %s "$VALUE|$2|" > "$1"; cat >> "$1"',
        directory.at('diary'),
        '{{ inputs.value }}',
      );
      await run(
        {
          steps: [
            command({
              ...read,
              env: { VALUE: '{{ inputs.value }}', v: '1', line: '2' },
              stdin: '{{ inputs.value }}',
            }),
          ],
        },
        { values: new Map([['value', value]]) },
      );
      expect(readFileSync(directory.at('diary'), 'utf8')).toBe(`${value}|${value}|${value}`);
    },
  );

  test('a script ends at its first failure, and at a name that nothing gives', async () => {
    const shell = (text: string): Step => command({ on: 'local', shell: text });
    expect((await run({ steps: [shell('false; true')] })).summary.failure?.code).toBe('COMMAND_FAILED');
    expect((await run({ steps: [shell('echo "$NOBODY_GIVES_THIS"')] })).summary.failure?.code).toBe(
      'COMMAND_FAILED',
    );
    expect(
      (await run({ steps: [shell("echo '{{.State.Pid}}' > /dev/null")] })).summary.failure,
    ).toBeUndefined();
  });
});

describe('secrets', () => {
  const SECRET = 'p4ss/w0rd+"& it\'s';

  /** All that a run wrote. */
  function written(path: string): string {
    return readdirSync(path, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8'))
      .join('\n');
  }

  test.each([
    ['a variable', () => (vi.stubEnv('A_TOKEN', SECRET), { env: 'A_TOKEN' })],
    ['a file', () => (writeFileSync(directory.at('token'), `${SECRET}\n`), { file: directory.at('token') })],
    ['a command', () => ({ command: ['printf', '%s\\n', SECRET] as [string, ...string[]] })],
  ])('from %s reaches its command, and nothing else', async (_, source) => {
    const base64 = 'printf %s "user:$TOKEN" | base64 -w0';
    const url = `node -p 'encodeURIComponent(process.env.TOKEN)'`;
    const script = `echo "$TOKEN" | tee "$1"; cat >> "$1"; tr '\\0' '\\n' < /proc/$$/cmdline > "$2"; ${base64}; echo; ${url}; ${base64} >&2; exit 7`;
    const { summary, events } = await run(
      {
        steps: [
          command(
            {
              ...sh(script, directory.at('got'), directory.at('cmdline')),
              env: { TOKEN: '{{ inputs.token }}' },
              stdin: 'in: {{ inputs.token }}',
            },
            { register: 'said', exitCodes: [0, 7] },
          ),
          command(sh('echo "$1" >&2; exit 1', '{{ results.said.stdout }}')),
        ],
      },
      { secrets: { token: source() } },
    );
    expect(readFileSync(directory.at('got'), 'utf8')).toBe(`${SECRET}\nin: ${SECRET}`);
    expect(readFileSync(directory.at('cmdline'), 'utf8')).not.toContain(SECRET);
    expect(summary.failure?.evidence).toContain('***');
    const all = [JSON.stringify(events), JSON.stringify(summary), written(directory.at('state'))].join('\n');
    const encoded = Buffer.from(`user:${SECRET}`).toString('base64');
    // Without the characters that it shares with its neighbours.
    const forms = [
      SECRET,
      JSON.stringify(SECRET).slice(1, -1),
      encodeURIComponent(SECRET),
      encoded.slice(8, -4),
    ];
    // That of a secret that a command prints is in the plan: whoever writes it there has given it away.
    const isInPlan = 'command' in source();
    for (const form of forms) if (!isInPlan) expect(all).not.toContain(form);
    expect(JSON.stringify(events)).not.toContain(SECRET);
  });

  test('what cannot be read refuses the run before anything is touched', async () => {
    const { summary, diary } = await run(
      { steps: [command({ ...note('never'), stdin: '{{ inputs.token }}' })] },
      { secrets: { token: { env: 'NOBODY_SETS_THIS' } } },
    );
    expect(diary).toEqual([]);
    expect(summary).toMatchObject({ exitCode: 4, failure: { code: 'SECRET_UNAVAILABLE' } });
    vi.stubEnv('SHORT', 'abc');
    const short = await run({ steps: [command(note('never'))] }, { secrets: { token: { env: 'SHORT' } } });
    expect(short.summary.failure).toMatchObject({
      message: expect.stringContaining('fewer than 4 characters'),
    });
    expect(JSON.stringify(short)).not.toContain('abc');
  });
});
