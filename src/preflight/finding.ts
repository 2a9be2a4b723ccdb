/** Every finding, the worst first: what hides others, then what nobody can mend, then the rest. What each means is in catalogue.ts. */
export const FINDING_CODES = [
  'SECOND_COPY',
  'NOT_ROOT',
  'TOOLS_MISSING',
  'RSYNC_TOO_OLD',
  'CRIU_TOO_OLD',
  'CRIU_UNUSABLE',
  'CRIU_OLDER',
  'CPU_DIFFERS',
  'MEMORY_NOT_TRACKED',
  'PERL_LACKS_MODULES',
  'NO_USERFAULTFD',
  'PIPES_TOO_SMALL',
  'IS_INIT',
  'HAS_CRIU_FLOW',
  'TRACED',
  'PID_TAKEN',
  'PROGRAM_DIFFERS',
  'FILE_DIFFERS',
  'DIRECTORY_MISSING',
  'FILES_NOT_OF_CHECKPOINT',
  'PROFILE_MISSING',
  'NO_JOURNAL',
  'TOO_MANY_STREAMS',
  'OUTSIDE_SOCKET',
  'OUTSIDE_PIPE',
  'UNKNOWN_FILE',
  'DEVICE_OPEN',
  'CONNECTIONS_OPEN',
  'CONNECTION_ELSEWHERE',
  'ADDRESS_TAKEN',
  'NO_DEVICE',
  'NO_SHARED_DIRECTORY',
  'NO_ROOM',
  'CLOCK_DIFFERS',
] as const;

export type FindingCode = (typeof FINDING_CODES)[number];

/** No run goes past these: there would be two copies, or criu would freeze criu-flow or the host, or fail only once it has frozen the workload. */
export const NEVER_ALLOWED: ReadonlySet<FindingCode> = new Set([
  'SECOND_COPY',
  'IS_INIT',
  'HAS_CRIU_FLOW',
  'MEMORY_NOT_TRACKED',
]);

/** As people are told of them. */
export function worstFirst(findings: readonly Finding[]): readonly Finding[] {
  const rank = ({ code }: Finding): number => FINDING_CODES.indexOf(code);
  return findings.toSorted((one, other) => rank(one) - rank(other));
}

/** One thing that would make the run fail. */
export interface Finding {
  readonly code: FindingCode;
  /** The host it was found on. */
  readonly host: string;
  /** What is wrong, with both values where two differ, in one sentence without a full stop. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
  /** A command to paste into a shell of this machine. */
  readonly command?: string;
}
