import type { Path } from './path.ts';
import type { ValueKind } from './values.ts';

/** What a template may read besides inputs and `item`: what is known only while the run runs. */
type Late = 'results' | 'secrets';

const RESULTS: readonly Late[] = ['results'];
const ALL: readonly Late[] = ['results', 'secrets'];

type Field = readonly [pattern: string, kind: ValueKind, late?: readonly Late[]];

/** A command's scalars, wherever it stands. No secret is in an argv, and the program is known before the run. */
function command(prefix: string): readonly Field[] {
  return [
    [`${prefix}.argv.0`, 'program'],
    [`${prefix}.argv.*`, 'argument', RESULTS],
    [`${prefix}.env.*`, 'argument', ALL],
    [`${prefix}.stdin`, 'argument', ALL],
  ];
}

/** A check's scalars, wherever it stands. */
function check(prefix: string): readonly Field[] {
  return [
    [`${prefix}.http.url`, 'url'],
    [`${prefix}.http.status`, 'status'],
    [`${prefix}.http.status.*`, 'status'],
    [`${prefix}.http.body`, 'pattern'],
    [`${prefix}.tcp.address`, 'address'],
    [`${prefix}.tcp.port`, 'port'],
    ...command(`${prefix}.command`),
    [`${prefix}.command.stdout`, 'pattern'],
    [`${prefix}.*.within`, 'duration'],
    [`${prefix}.*.timeout`, 'duration'],
  ];
}

/** The meaning of each scalar of a recipe; `*` is any one key or index. The first that fits counts. */
const FIELDS: readonly Field[] = [
  ['name', 'line'],
  ['hosts.*', 'host'],
  ['workload.process.pid', 'pid'],
  ['workload.process.pidFile', 'path'],
  ['workload.process.unit', 'unit'],
  ['workload.process.executable', 'path'],
  ['workload.process.arguments.*', 'argument'],
  ['workload.checkpoint.series', 'checkpoint-series'],
  ['workload.checkpoint.id', 'checkpoint-id'],
  ['network.address.cidr', 'cidr'],
  ['network.address.device', 'device'],
  ['files.*.path', 'moved-path'],
  ['objectives.downtime', 'duration'],
  ['retries.*.delay', 'duration'],
  ['retries.*.maxDelay', 'duration'],
  ['steps.*.name', 'line'],
  ['steps.*.if', 'condition', RESULTS],
  ['steps.*.forEach', 'items'],
  ['steps.*.forEach.*', 'argument'],
  ['steps.*.timeout', 'duration'],
  ['steps.*.retry.delay', 'duration'],
  ['steps.*.retry.maxDelay', 'duration'],
  ...command('steps.*.with'),
  ...command('steps.*.rollback.*.with'),
  ['steps.*.with.inputs.*', 'given', ['secrets']],
  ['steps.*.with.inputs.*.*', 'argument'],
  ['steps.*.with.message', 'argument'],
  ['steps.*.with.by.*', 'argument'],
  ['steps.*.with.expires', 'duration'],
  ['steps.*.with.directory', 'path'],
  ['steps.*.with.bandwidthLimit', 'bandwidth'],
  ['steps.*.with.series', 'checkpoint-series'],
  ['steps.*.with.keep', 'count'],
  ['steps.*.with.maxAge', 'duration'],
  ...check('steps.*.with.checks.*'),
  ['runs.*.name', 'line'],
  ['runs.*.if', 'condition'],
  ['runs.*.forEach', 'items'],
  ['runs.*.forEach.*', 'argument'],
  ['runs.*.inputs.*', 'given', ['secrets']],
  ['runs.*.inputs.*.*', 'argument'],
  ...check('probes.*'),
  ...check('checks.before.*'),
  ...check('checks.after.*'),
  ['checks.during.*.every', 'duration'],
  ['checks.during.*.outage', 'duration'],
];

const PATTERNS = FIELDS.map(([pattern, kind, late = []]) => ({ parts: pattern.split('.'), kind, late }));

/** By how many parts they have: each scalar is looked up more than once. */
const PATTERNS_BY_LENGTH = Array.from(
  { length: 1 + Math.max(...PATTERNS.map(({ parts }) => parts.length)) },
  (_, length) => PATTERNS.filter(({ parts }) => parts.length === length),
);

/** What the scalar at a path means; undefined where the schema says it all. */
export function kindAt(path: Path): ValueKind | undefined {
  return fieldAt(path)?.kind;
}

/** Whether a template at a path may read what is known only while the run runs. */
export function mayRead(path: Path, late: Late): boolean {
  return fieldAt(path)?.late.includes(late) === true;
}

function fieldAt(path: Path): (typeof PATTERNS)[number] | undefined {
  const plain = asTopStep(path);
  return PATTERNS_BY_LENGTH[plain.length]?.find(({ parts }) =>
    parts.every((part, index) => part === '*' || part === String(plain[index])),
  );
}

/** The path of the step in whose place a scalar stands; undefined outside of steps. */
function stepPathOf(path: Path): Path | undefined {
  const start = path[0] === 'hooks' ? 2 : 0;
  let length = start;
  while (LISTS.has(String(path[length])) && typeof path[length + 1] === 'number') length += 2;
  return length === start ? undefined : path.slice(0, length);
}

/** A step in a block, in a hook, or in the recipe's own `always` and `rollback`, is as one at the top. */
function asTopStep(path: Path): Path {
  if (path[0] === 'rollback') return ['steps', 0, ...path];
  const step = stepPathOf(path);
  return step === undefined ? path : ['steps', ...path.slice(step.length - 1)];
}

/** The keys that hold lists of steps. */
const LISTS: ReadonlySet<string> = new Set(['steps', 'rescue', 'always', 'before', 'after']);
