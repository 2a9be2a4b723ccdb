/** What criu's log says about a failure. */
export interface CriuReason {
  /** CRIU's own line, without time stamp. */
  readonly line: string;
  /** What to do about it, when the cause is known. */
  readonly hint?: string;
  readonly command?: string;
}

interface KnownCause {
  readonly pattern: RegExp;
  readonly hint: (match: RegExpMatchArray) => string;
}

/**
 * Error lines that logs of successful runs hold too, or that only follow from another.
 * @see CRIU: `Can't setup RLIMIT_NOFILE for self` is logged where CAP_SYS_RESOURCE is missing, and is harmless; so is that a unix socket
 *   has no options of TCP, which 3.17 and 3.18 log as an error.
 */
const NOT_A_CAUSE: readonly RegExp[] = [
  /RLIMIT_NOFILE for self/,
  /Unable to (?:set|restore) TCP_(?:CORK|NODELAY)/,
  /Dumping FAILED/,
  /Restoring FAILED/,
  /Iptables configuration failed/,
  /exited, status=\d+/,
  /killed by signal \d+/,
];

const KNOWN_CAUSES: readonly KnownCause[] = [
  {
    pattern: /Can't open file ([^ ]+) on restore|Can't open file ([^ ]+)/,
    hint: (match) =>
      `The workload has /${(match[1] ?? match[2] ?? '').replace(/^\//, '')} open and the destination lacks it: add it, or its directory, to \`files:\`.`,
  },
  {
    pattern: /File ([^ ]+) has bad size (\d+) \(expect (\d+)\)/,
    hint: (match) =>
      `/${(match[1] ?? '').replace(/^\//, '')} is ${match[2]} bytes on the destination and ${match[3]} in the dump: add it to \`files:\`.`,
  },
  {
    pattern: /Can't fork for (\d+): File exists/,
    hint: (match) =>
      `PID ${match[1]} is taken on the destination: end that process there, or choose another destination.`,
  },
  {
    pattern: /Pid (\d+) do not match expected/,
    hint: (match) => `PID ${match[1]} is taken on the destination.`,
  },
  {
    pattern: /Unable to interrupt task: (\d+)|Unseizable non-zombie (\d+)|seize (\d+).*traced/,
    hint: (match) =>
      `Process ${match[1] ?? match[2] ?? match[3]} is being traced (strace, gdb): end the tracer, then run again.`,
  },
  {
    pattern: /Connected TCP socket, consider using --tcp-established/,
    hint: () =>
      'The workload has established TCP connections: set `network: { connections: keep }` or `close`.',
  },
  {
    pattern: /In-flight connection/,
    hint: () => 'A connection was just being made: run again.',
  },
  {
    pattern: /Can't bind inet socket back|Cannot assign requested address/,
    hint: () =>
      'An address that the workload uses is missing on the destination: name it as `network.address`, or set it up there.',
  },
  {
    pattern: /External socket is used|Can't dump half of stream unix connection/,
    hint: () =>
      'The workload is connected by a unix socket to a process that does not move: close that connection first.',
  },
  {
    pattern: /Can't lookup mount=|No parent found for mountpoint|Can't open mountpoint/,
    hint: () => 'A file or mount of the workload lies outside of what criu can see in its mount namespace.',
  },
  {
    pattern: /Some file locks are hold by dumping tasks/,
    hint: () => 'The workload holds file locks, which this version does not move.',
  },
  {
    pattern: /not a session leader/,
    hint: () => 'Start the workload in a session of its own (setsid), or as a service.',
  },
  {
    pattern: /Can't get rlimit \d+: Operation not permitted/,
    hint: () =>
      'root on that host lacks CAP_SYS_RESOURCE (bit 24 of CapEff in /proc/self/status), as in many containers: criu can dump no process of another user there (prlimit(2)).',
  },
  {
    pattern: /No space left on device/,
    hint: () => 'A disk is full: free space under /var/lib/criu-flow on that host.',
  },
  {
    pattern: /Can't get 1:16 opt/,
    hint: () =>
      'This criu is too old for TCP on a kernel of 6.16 or newer: install criu 4.2 or newer on both hosts.',
  },
];

/**
 * The first line of a criu log that names the cause of a failure.
 * @param log The text of dump.log or restore.log.
 */
export function criuReason(log: string): CriuReason | undefined {
  // criu warns of some causes, and calls only what follows from them an error.
  const lines = log
    .split('\n')
    .filter((line) => /(?:Error|Warn) +\(/.test(line) && !NOT_A_CAUSE.some((pattern) => pattern.test(line)));
  for (const line of lines) {
    for (const cause of KNOWN_CAUSES) {
      const match = line.match(cause.pattern);
      if (match) return { line: withoutStamp(line), hint: cause.hint(match) };
    }
  }
  const error = lines.find((line) => line.includes('Error ('));
  return error === undefined ? undefined : { line: withoutStamp(error) };
}

/** `(00.012345) pie: 12: Error (file.c:3): text` becomes `Error (file.c:3): text`. */
function withoutStamp(line: string): string {
  return line.slice(line.search(/(?:Error|Warn) +\(/)).trim();
}
