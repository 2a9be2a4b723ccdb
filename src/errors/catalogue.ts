import type { ErrorCode } from './flow-error.ts';

/** What an error means, and what to do about it. The text is Markdown of one line, as docs/errors.md shows it. */
export interface CatalogueError {
  readonly means: string;
  /** Its usual cause, and what to do. */
  readonly cure: string;
  /** What criu-flow ends with, unless the run is past its commit; left out where it depends on how far the run came. */
  readonly exitCode?: number;
}

/** Every error, in the order of a run. docs/errors.md is generated from it: `npm run generate`. */
export const ERRORS: Readonly<Record<ErrorCode, CatalogueError>> = {
  USAGE: { means: 'the command line is wrong', cure: 'the message says what is known', exitCode: 2 },
  RECIPE_NOT_FOUND: {
    means: 'no such recipe',
    cure: 'a file has a slash or ends with `.yaml`; a bare name is a bundled recipe',
    exitCode: 2,
  },
  RECIPE_INVALID: {
    means: 'the recipe has mistakes',
    cure: 'each is named as file:line:column, with a help line',
    exitCode: 3,
  },
  INPUT_INVALID: {
    means: 'an input is missing, unknown or of the wrong type',
    cure: 'give it with `-i name=value`',
    exitCode: 2,
  },
  SECRET_UNAVAILABLE: {
    means: 'the value of a secret input cannot be read',
    cure: 'is the variable set, the file there? It is read where criu-flow runs',
  },
  HOST_UNREACHABLE: {
    means: 'ssh could not connect, or the connection was lost',
    cure: 'check the name, the network, sshd',
  },
  HOST_KEY_UNKNOWN: {
    means: "the host's key is not in known_hosts",
    cure: 'compare its fingerprint, then add it',
  },
  HOST_KEY_CHANGED: {
    means: "the host's key is another than the known one",
    cure: 'a new machine, or an attack: find out which',
  },
  HOST_AUTH_FAILED: {
    means: 'the host refuses the login',
    cure: 'is the key in the agent, and root allowed to log in with a key?',
  },
  TOOL_MISSING: {
    means: 'a program is not installed on this machine',
    cure: 'install the package that is named',
  },
  COMMAND_FAILED: {
    means: 'a command ended with an exit code that it should not have',
    cure: 'its last line is in the message',
  },
  TIMEOUT: {
    means: 'a step or a command took longer than it may',
    cure: 'a longer `timeout` for the step, or find what hangs',
    exitCode: 124,
  },
  INTERRUPTED: { means: 'a signal ended the run', cure: 'nothing; it was rolled back', exitCode: 130 },
  JOURNAL_FAILED: {
    means: 'the run directory cannot be written: a full disk, no permission',
    cure: 'make room, or set XDG_STATE_HOME; nothing begins that could not be taken up after a crash',
  },
  WORKLOAD_NOT_FOUND: {
    means: 'the process is not there',
    cure: 'check the pid, the pid file or the unit on the source',
  },
  CHECKPOINT_NOT_FOUND: {
    means: 'there is no such checkpoint on the host',
    cure: 'the message has those that there are; a checkpoint is on the host on which it was kept',
  },
  CHECKPOINT_UNREADABLE: {
    means: 'the record of a checkpoint is damaged, or of another version',
    cure: 'restore an earlier one, by its number',
  },
  WORKLOAD_LOST: {
    means: 'it moved, and was not seen alive on the destination when the run wanted to clean up',
    cure: 'nothing was cleaned up; the message has the command that restores it from its images',
  },
  MEMORY_LOST: {
    means:
      'memory that was to be fetched after the commit could not be, and the workload was ended on the destination',
    cure: 'its copy on the source is stopped, as it was when it was frozen; the message has the command that lets it run on',
    exitCode: 6,
  },
  CLEAN_UP_FAILED: {
    means: 'the workload is where it should be; something of the run is left on a host, with its lock',
    cure: 'when the host answers, the command in the message cleans it up',
  },
  WORKLOAD_AMBIGUOUS: {
    means: 'several processes match',
    cure: 'add `arguments`, or name it by `pid` or `pidFile`',
  },
  PREFLIGHT_REFUSED: {
    means: 'a host or the workload is not fit',
    cure: 'every reason is listed, each with what to do',
  },
  DUMP_FAILED: { means: '`criu dump` failed; the process runs on', cure: "CRIU's own line says why" },
  HOLD_LOST: {
    means: 'a held criu ended, or its lease was over',
    cure: 'the connection was silent for 30 s: the process runs on at the source',
  },
  TRANSFER_FAILED: {
    means: 'a copy failed, or there is no room, or no way from the source to the destination',
    cure: 'its own words are in the message',
  },
  NOT_SHARED: {
    means: 'the directory of `transfer/shared` is not the same one on both hosts, or not safe',
    cure: 'mount it on both; only root, or whom the server takes root for, may write there',
  },
  IMAGES_CORRUPTED: {
    means: 'the images that arrived are not those that were dumped',
    cure: 'nothing was run from them; check disk and memory',
  },
  FILES_CONFLICT: {
    means: 'a path of `files` cannot be replaced on the destination',
    cure: 'it is a mount point: name what is inside of it',
  },
  RESTORE_FAILED: {
    means: '`criu restore` failed; rolled back',
    cure: 'a file, a pid or an address that the destination lacks or has',
  },
  COMMIT_FAILED: {
    means: "criu did not end the source's copy",
    cure: "it runs on at the source; CRIU's line says why",
  },
  RELEASE_FAILED: {
    means: "the destination's copy could not be released after the commit",
    cure: 'a person is needed: the images are on the destination',
    exitCode: 6,
  },
  VERIFY_FAILED: {
    means: 'a check failed',
    cure: 'before the commit it is rolled back, after it the workload is on the destination',
  },
  OUTAGE_TOO_LONG: {
    means: 'a probe of `checks.during` had no good answer for longer than its `outage`',
    cure: 'before the commit it was rolled back; each phase is timed in the report',
  },
  APPROVAL_REJECTED: {
    means: 'somebody rejected the run',
    cure: 'their reason is in the message',
    exitCode: 9,
  },
  APPROVAL_EXPIRED: {
    means: 'not enough people agreed in time',
    cure: 'begin a new run when they are there, or give the step a longer `expires`',
    exitCode: 9,
  },
  APPROVAL_REFUSED: {
    means: 'no step of the run waits for an answer, or this person is not asked',
    cure: '`criu-flow runs show RUN` tells how far it came',
    exitCode: 2,
  },
  OBJECTIVE_MISSED: {
    means: 'the downtime was longer than the objective',
    cure: 'the workload is on the destination',
    exitCode: 7,
  },
  ADDRESS_FAILED: { means: 'the service address could not be added', cure: 'another process or host has it' },
  RUN_NOT_FOUND: { means: 'there is no run of that id', cure: '`criu-flow runs` lists them', exitCode: 2 },
  JOURNAL_CORRUPT: {
    means: "a run's journal or plan is damaged",
    cure: 'nothing is guessed; `criu-flow runs show` has the whole lines, `criu-flow locks HOST` what the hosts know',
    exitCode: 4,
  },
  LOCKED: {
    means:
      'another run has this workload, or its process ids; or the controller of this run may still be at work',
    cure: 'wait for its end: the message says who that is, and where to look',
    exitCode: 8,
  },
  SUPERSEDED: {
    means: 'somebody else has taken this run up',
    cure: 'leave it to them; this controller does nothing more',
    exitCode: 8,
  },
  RESUME_REFUSED: {
    means: 'what a run was about has changed since',
    cure: 'the message has both values; `--force` goes on all the same',
    exitCode: 4,
  },
  LAB_REQUIREMENT_MISSING: {
    means: 'this machine cannot build a lab',
    cure: 'each missing part is named',
    exitCode: 4,
  },
  LAB_EXISTS: {
    means: 'there is a lab of that name',
    cure: 'take it down, or use another name',
    exitCode: 2,
  },
  LAB_NOT_FOUND: {
    means: 'there is no lab of that name',
    cure: '`criu-flow lab status` lists them',
    exitCode: 2,
  },
  LAB_FAILED: {
    means: 'a lab could not be built or taken down',
    cure: "the tool's last words are in the message",
    exitCode: 4,
  },
};

export interface CatalogueExitCode {
  readonly code: number;
  readonly means: string;
  readonly workload: string;
  readonly cure: string;
}

/** Every exit code. docs/exit-codes.md is generated from it. */
export const EXIT_CODES: readonly CatalogueExitCode[] = [
  {
    code: 0,
    means: 'done, and all that the recipe asked for holds',
    workload: 'destination; of a checkpoint, where it was',
    cure: 'nothing',
  },
  {
    code: 1,
    means: 'a bug in criu-flow, with a stack',
    workload: 'the report says it',
    cure: 'report it, with the stack',
  },
  {
    code: 2,
    means: 'usage: an unknown command, option or input, a recipe that is not there',
    workload: 'untouched',
    cure: 'read the message',
  },
  {
    code: 3,
    means: 'the recipe is invalid',
    workload: 'untouched',
    cure: 'correct each place that is named',
  },
  {
    code: 4,
    means: 'refused before anything was touched',
    workload: 'untouched',
    cure: 'do what the message says, run again',
  },
  {
    code: 5,
    means: 'failed and rolled back',
    workload: 'source, as if nothing had happened; by `onFailure: revert`, as it was when it moved',
    cure: 'do what the message says, run again',
  },
  {
    code: 6,
    means:
      'the rollback is incomplete, the commit is not confirmed, or what moved has ended since: a person is needed',
    workload: 'the report says it',
    cure: 'do what is printed, look first',
  },
  {
    code: 7,
    means: 'moved, but an objective or a check was missed, or something is left on a host',
    workload: 'destination',
    cure: 'do what the message says',
  },
  {
    code: 8,
    means:
      'another run has this workload or its process ids, or another controller has this run; nothing was done to either',
    workload: 'as that one says',
    cure: 'wait for its end; `criu-flow status RUN` asks the hosts',
  },
  {
    code: 9,
    means: 'an approval was rejected or expired; rolled back when something was changed',
    workload: 'source',
    cure: 'ask why, begin a new run',
  },
  {
    code: 124,
    means: "a step's time was over; rolled back",
    workload: 'source',
    cure: 'give the step a longer `timeout`, or find what hangs',
  },
  { code: 129, means: 'interrupted by SIGHUP and rolled back', workload: 'source', cure: 'run again' },
  { code: 130, means: 'interrupted by SIGINT (`^C`) and rolled back', workload: 'source', cure: 'run again' },
  { code: 143, means: 'interrupted by SIGTERM and rolled back', workload: 'source', cure: 'run again' },
];
