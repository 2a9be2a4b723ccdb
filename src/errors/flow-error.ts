/**
 * Where in a file a mistake is. Lines and columns count from 1, as editors do.
 */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface FlowErrorDetails {
  /** What to do, in one or two sentences. */
  readonly hint?: string;
  /** A command to paste. Never run by criu-flow. */
  readonly command?: string;
  readonly location?: SourceLocation;
  /** The host this happened on, as the user named it. */
  readonly host?: string;
  /** The tool's own words: CRIU's first error line, the end of ssh's stderr. */
  readonly evidence?: string;
  readonly cause?: unknown;
}

/**
 * A failure that a person can act on: it is printed without a stack. Anything else that is thrown is a bug of
 * criu-flow and is printed with its stack and a request to report it.
 */
export class FlowError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly command: string | undefined;
  readonly location: SourceLocation | undefined;
  readonly host: string | undefined;
  readonly evidence: string | undefined;

  constructor(code: ErrorCode, message: string, details: FlowErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'FlowError';
    this.code = code;
    this.hint = details.hint;
    this.command = details.command;
    this.location = details.location;
    this.host = details.host;
    this.evidence = details.evidence;
  }
}

/** Every code that criu-flow prints; catalogue.ts says what each means. */
export type ErrorCode =
  | 'USAGE'
  | 'RECIPE_NOT_FOUND'
  | 'RECIPE_INVALID'
  | 'INPUT_INVALID'
  | 'SECRET_UNAVAILABLE'
  | 'HOST_UNREACHABLE'
  | 'HOST_KEY_UNKNOWN'
  | 'HOST_KEY_CHANGED'
  | 'HOST_AUTH_FAILED'
  | 'TOOL_MISSING'
  | 'COMMAND_FAILED'
  | 'TIMEOUT'
  | 'INTERRUPTED'
  | 'JOURNAL_FAILED'
  | 'WORKLOAD_NOT_FOUND'
  | 'WORKLOAD_AMBIGUOUS'
  | 'CHECKPOINT_NOT_FOUND'
  | 'CHECKPOINT_UNREADABLE'
  | 'WORKLOAD_LOST'
  | 'MEMORY_LOST'
  | 'CLEAN_UP_FAILED'
  | 'PREFLIGHT_REFUSED'
  | 'DUMP_FAILED'
  | 'HOLD_LOST'
  | 'TRANSFER_FAILED'
  | 'NOT_SHARED'
  | 'IMAGES_CORRUPTED'
  | 'FILES_CONFLICT'
  | 'RESTORE_FAILED'
  | 'COMMIT_FAILED'
  | 'RELEASE_FAILED'
  | 'VERIFY_FAILED'
  | 'OBJECTIVE_MISSED'
  | 'OUTAGE_TOO_LONG'
  | 'APPROVAL_REJECTED'
  | 'APPROVAL_EXPIRED'
  | 'APPROVAL_REFUSED'
  | 'ADDRESS_FAILED'
  | 'RUN_NOT_FOUND'
  | 'JOURNAL_CORRUPT'
  | 'LOCKED'
  | 'SUPERSEDED'
  | 'RESUME_REFUSED'
  | 'LAB_REQUIREMENT_MISSING'
  | 'LAB_EXISTS'
  | 'LAB_NOT_FOUND'
  | 'LAB_FAILED';
