import type {
  Act,
  Forecast,
  ForecastCheck,
  ForecastCommand,
  ForecastStep,
  ForecastWatch,
  Mark,
  PauseEstimate,
  Place,
  Word,
} from '../forecast/forecast.ts';
import { quoteArguments } from '../host/quote.ts';
import type { RetryPolicy } from '../plan/plan.ts';
import { printable } from '../recipe/printable.ts';
import { formatBytes, formatDuration, type Paint } from '../report/format.ts';

/** A forecast for people to review, without a line feed at the end. What is in its texts steers no terminal. */
export function formatForecast(forecast: Forecast, paint: Paint): string {
  return new ForecastText(forecast, paint).format();
}

const WAYS_BACK = { 'migrate-back': 'back to', revert: 'back to its images on' } as const;

class ForecastText {
  readonly #forecast: Forecast;
  readonly #paint: Paint;
  readonly #width: number;

  constructor(forecast: Forecast, paint: Paint) {
    this.#forecast = forecast;
    this.#paint = paint;
    const { source, destination } = forecast;
    this.#width = Math.max(10, printable(source).length, printable(destination).length);
  }

  format(): string {
    const { steps, rollback, watches, placeholders, pause, pauses = [] } = this.#forecast;
    const lines = [
      ...this.#head(),
      ...steps.flatMap((step) => ['', ...this.#step(step, '')]),
      ...this.#section(
        'At the end of a rollback',
        rollback.flatMap((each) => this.#command('  ', each)),
      ),
      ...this.#section(
        'Asked over and over, from before the freeze to the end of the steps',
        watches.map((watch) => `  ${this.#watch(watch)}`),
      ),
      ...this.#section('The pause, as an estimate', pause ? this.#pause(pause) : []),
      ...this.#section(
        'The pause, as an estimate for each strategy; the run measures before it chooses one',
        pauses.flatMap(({ strategy, pause: each }) => [
          `  ${this.#paint('strong', strategy)}`,
          ...this.#pause(each).map((line) => `  ${line}`),
        ]),
      ),
      ...this.#section(
        'Known only while it runs',
        Object.entries(placeholders).map(([shown, means]) => `  ${printable(shown)}  ${means}`),
      ),
    ];
    return lines.join('\n');
  }

  #head(): readonly string[] {
    const { kind, name, file, digest, source, destination, workload, network, files } = this.#forecast;
    const { connections, address } = network;
    const moved = [
      workload,
      { keep: 'its connections', close: 'its connections closed', refuse: 'no connections' }[connections],
      ...(address ? [`${address.cidr} on ${address.device}`] : []),
      ...files,
    ];
    return [
      this.#paint('strong', printable(name)),
      `  recipe  ${printable(file)}`,
      kind === 'move'
        ? `  from    ${printable(source)} to ${printable(destination)}`
        : `  on      ${printable(source)}`,
      `  ${{ move: 'moves  ', checkpoint: 'keeps  ', restore: 'restores' }[kind]} ${moved.map(printable).join(', ')}`,
      ...(this.#forecast.onFailure === 'keep'
        ? []
        : [
            `  then    ${WAYS_BACK[this.#forecast.onFailure]} ${printable(source)}, by a second run, when a step fails after the commit`,
          ]),
      `  digest  ${digest}`,
    ];
  }

  #section(title: string, lines: readonly string[]): readonly string[] {
    return lines.length === 0 ? [] : ['', this.#paint('strong', title), ...lines];
  }

  #step(step: ForecastStep, margin: string): readonly string[] {
    const about = aboutStep(step);
    const { acts, checks = [], undo, rollback, irreversible, steps, rescue = [], always = [] } = step;
    const inner = `${margin}  `;
    const list = (label: string, children: readonly ForecastStep[]): readonly string[] =>
      children.length === 0
        ? []
        : [`${inner}${label}`, ...children.flatMap((child) => this.#step(child, `${inner}  `))];
    return [
      `${margin}${this.#paint('strong', `${printable(step.id)}  ${printable(step.title)}`)}` +
        (about === '' ? '' : this.#paint('faint', `  (${about})`)),
      ...acts.flatMap((act) => this.#act(act, inner)),
      ...checks.map((check) => `${inner}${this.#who(check.on)}${describe(check)}`),
      ...(steps ? list('steps', steps) : []),
      ...list('when one fails', rescue),
      ...list('in any case', always),
      ...undo.map((title) => `${inner}${this.#label('undo')}${printable(title)}`),
      ...rollback.flatMap((each) => this.#command(`${inner}${this.#label('undo')}`, each)),
      ...(irreversible === undefined ? [] : [`${inner}${this.#label('no undo')}${printable(irreversible)}`]),
    ];
  }

  #act(act: Act, margin: string): readonly string[] {
    if (act.kind === 'mark') return [this.#mark(act.mark)];
    const { on, does, commands } = act;
    if (does === 'run') return commands.flatMap((each) => this.#command(margin, each));
    const lines = commands.flatMap(({ argv, stdin }) => {
      const more =
        stdin === undefined ? '' : `  # ${textOf(stdin).split('\n').length} lines of input, in --json`;
      return shellLines(argv).map((line) => `${line}${more}`);
    });
    return [
      `${margin}${this.#who(on)}${printable(does)}`,
      ...lines.map((line) => `${margin}  ${this.#paint('faint', line)}`),
    ];
  }

  #mark(mark: Mark): string {
    const { source, destination } = this.#forecast;
    switch (mark) {
      case 'freeze':
        return this.#paint('warning', `──── the workload freezes on ${printable(source)} ────`);
      case 'commit-point':
        return this.#paint('bad', '════ commit point: from here there is no way back ════');
      case 'runs-again':
        return this.#paint('good', `──── it runs again, on ${printable(destination)} ────`);
    }
  }

  /** One of a recipe: where, and what. */
  #command(lead: string, { on, argv, env = {}, stdin }: ForecastCommand): readonly string[] {
    const [first = '', ...more] = shellLines(argv);
    const below = ' '.repeat(lead.length + this.#width + 2);
    const given = [
      ...Object.entries(env).map(([name, word]) => `with ${name}=${textOf(word)}`),
      ...(stdin === undefined ? [] : [`its input: ${textOf(stdin)}`]),
    ];
    return [
      `${lead}${this.#who(on)}${first}`,
      ...more.map((line) => `${below}${line}`),
      ...given.map((line) => `${below}${this.#paint('faint', printable(line))}`),
    ];
  }

  #who(on: Place | 'both'): string {
    const { source, destination } = this.#forecast;
    const name = { source, destination, local: 'here', both: 'both hosts' }[on];
    return this.#label(printable(name));
  }

  #label(text: string): string {
    return `${text.padEnd(this.#width)}  `;
  }

  #watch({ check, everyMs, outageMs }: ForecastWatch): string {
    const outage =
      outageMs === undefined
        ? ''
        : `; without a good answer for ${formatDuration(outageMs)} the run is rolled back, after the commit it ends with 7`;
    return `every ${formatDuration(everyMs)}  ${describe(check)}${outage}`;
  }

  #pause(pause: PauseEstimate): readonly string[] {
    const { estimates, objectiveMs, mostMemoryBytes = 0 } = pause;
    const sizes = estimates.map(
      ({ memoryBytes, ms }) =>
        `${formatBytes(memoryBytes)} of memory ${this.#paint('strong', formatDuration(ms))}`,
    );
    const objective =
      objectiveMs === undefined
        ? []
        : [
            mostMemoryBytes === 0
              ? `objective of ${formatDuration(objectiveMs)}: missed whatever the memory`
              : `objective of ${formatDuration(objectiveMs)}: met up to ${formatBytes(mostMemoryBytes)} of memory`,
          ];
    const per = (value: number): string => value.toFixed(1);
    return [
      `about ${sizes.join(', ')}`,
      ...objective,
      `made up of dump ${per(pause.dumpMsPerMiB)}, transfer ${per(pause.transferMsPerMiB)}, restore ` +
        `${per(pause.restoreMsPerMiB)} ms for each MiB, ${pause.roundTrips} round trips, ${pause.fixedMs} ms for all else`,
      `from: ${pause.assumptions.join('; ')}`,
      ...pause.notCounted.map((each) => `not counted: ${printable(each)}`),
    ].map((line) => `  ${line}`);
  }
}

/** What tells a step from others besides what it does. */
function aboutStep(step: ForecastStep): string {
  const { when, timeoutMs, retry, register, exitCodes, readOnly, isAlways, approval } = step;
  return [
    ...(when === undefined
      ? []
      : [when === false ? 'not done: its condition is false' : `if ${printable(when)}`]),
    ...(approval ? [describeApproval(approval)] : []),
    ...(timeoutMs === undefined ? [] : [`at most ${formatDuration(timeoutMs)}`]),
    ...(retry ? [describeRetry(retry)] : []),
    ...(readOnly ? ['only looks'] : []),
    ...(exitCodes ? [`exit codes ${exitCodes.join(', ')}`] : []),
    ...(register === undefined ? [] : [`result kept as ${register}`]),
    ...(isAlways ? ['however the run ends'] : []),
  ].join('; ');
}

function describeApproval({ message, by, approvals }: NonNullable<ForecastStep['approval']>): string {
  const who = by.length === 0 ? 'anybody' : by.map(printable).join(', ');
  return `“${printable(message)}” to ${approvals} of ${who}`;
}

function describeRetry({ attempts, delayMs, backoff, maxDelayMs }: RetryPolicy): string {
  const longer =
    backoff === 1 ? '' : `, then ${backoff} times as long, at most ${formatDuration(maxDelayMs)}`;
  return `tried up to ${attempts} times, ${formatDuration(delayMs)} apart${longer}`;
}

function describe({ asks, timeoutMs, withinMs, pattern }: ForecastCheck): string {
  return [
    printable(asks),
    ...(pattern === undefined ? [] : [`matching ${printable(pattern)}`]),
    ...(withinMs === undefined ? [] : [`within ${formatDuration(withinMs)}`]),
    `at most ${formatDuration(timeoutMs)}`,
  ].join(', ');
}

/** A command as a shell would take it, but for its placeholders; the lines of a script below each other. */
function shellLines(argv: readonly Word[]): readonly string[] {
  const words = argv.map((word) => (typeof word === 'string' ? quoteWord(word) : quotePartly(word.text)));
  return words.join(' ').split('\n').map(printable);
}

function quoteWord(word: string): string {
  // Its first word would be a program.
  return quoteArguments(['x', word]).slice(2);
}

/** Only where a shell would take it for two: a placeholder is seen better without. */
function quotePartly(text: string): string {
  return /[\s'"]/.test(text) ? `"${text}"` : text;
}

function textOf(word: Word): string {
  return typeof word === 'string' ? word : word.text;
}
