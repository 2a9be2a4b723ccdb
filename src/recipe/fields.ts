import type { Path } from './path.ts';
import type { ValueKind } from './values.ts';

/** The meaning of each scalar of a recipe; `*` is any one key or index. The first that fits counts. */
const FIELDS: readonly (readonly [pattern: string, kind: ValueKind])[] = [
  ['name', 'line'],
  ['hosts.*', 'host'],
  ['workload.process.pid', 'pid'],
  ['workload.process.pidFile', 'path'],
  ['workload.process.unit', 'unit'],
  ['workload.process.executable', 'path'],
  ['workload.process.arguments.*', 'argument'],
  ['network.address.cidr', 'cidr'],
  ['network.address.device', 'device'],
  ['files.*.path', 'moved-path'],
  ['objectives.downtime', 'duration'],
  ['steps.*.name', 'line'],
  ['steps.*.timeout', 'duration'],
  ['steps.*.with.argv.0', 'program'],
  ['steps.*.with.argv.*', 'argument'],
  ['steps.*.rollback.*.with.argv.0', 'program'],
  ['steps.*.rollback.*.with.argv.*', 'argument'],
  ['steps.*.with.checks.*.http.url', 'url'],
  ['steps.*.with.checks.*.http.status', 'status'],
  ['steps.*.with.checks.*.tcp.address', 'address'],
  ['steps.*.with.checks.*.tcp.port', 'port'],
  ['steps.*.with.checks.*.command.argv.0', 'program'],
  ['steps.*.with.checks.*.command.argv.*', 'argument'],
  ['steps.*.with.checks.*.*.timeout', 'duration'],
];

const PATTERNS = FIELDS.map(([pattern, kind]) => ({ parts: pattern.split('.'), kind }));

/** What the scalar at a path means; undefined where the schema says it all. */
export function kindAt(path: Path): ValueKind | undefined {
  return PATTERNS.find(
    ({ parts }) =>
      parts.length === path.length &&
      parts.every((part, index) => part === '*' || part === String(path[index])),
  )?.kind;
}
