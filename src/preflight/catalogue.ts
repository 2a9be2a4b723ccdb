import type { FindingCode } from './finding.ts';

/** What a finding means. The text is Markdown of one line, as docs/preflight.md shows it. */
interface CatalogueFinding {
  readonly means: string;
  /** What becomes of a run that is allowed to go on all the same; undefined for what no run may go past. */
  readonly ifAllowed?: string;
}

/** Every finding of preflight, in their order. docs/preflight.md is generated from it: `npm run generate`. */
export const FINDINGS: Readonly<Record<FindingCode, CatalogueFinding>> = {
  SECOND_COPY: {
    means: 'a copy of the workload runs, or may run, where the restored one would be a second one',
  },
  NOT_ROOT: {
    means: 'criu-flow is not root on a host',
    ifAllowed: 'criu, or a file of root, is refused before anything is frozen',
  },
  TOOLS_MISSING: {
    means: 'programs that the run needs are not installed on a host',
    ifAllowed: 'the step that needs one fails, and the run is rolled back',
  },
  RSYNC_TOO_OLD: {
    means: 'rsync on a host cannot compress with lz4, as rsync 3.2.7 and later can',
    ifAllowed: 'a copy that is to be compressed with it fails, and the run is rolled back',
  },
  CRIU_TOO_OLD: {
    means: 'criu on a host is older than 3.16, which is the first that locks a network with nftables',
    ifAllowed: 'criu fails to dump or to restore, and the run is rolled back',
  },
  CRIU_UNUSABLE: {
    means: '`criu check` fails on a host: its kernel lacks what criu needs, or criu does not know it',
    ifAllowed:
      'criu fails to dump or to restore, and the run is rolled back, or it works without what is lacking',
  },
  CRIU_OLDER: {
    means: 'criu on the destination is older than on the source',
    ifAllowed: 'criu restores, but for what it does not know, or fails, and the run is rolled back',
  },
  CPU_DIFFERS: {
    means:
      'the processor of the destination is not one that a workload of the source can go on with (`criu cpuinfo check`)',
    ifAllowed:
      'criu refuses to restore, and the run is rolled back; or the workload is ended by SIGILL some time later, when it uses what is lacking',
  },
  MEMORY_NOT_TRACKED: {
    means:
      'the kernel of the source cannot tell what memory is written to (CONFIG_MEM_SOFT_DIRTY), as the strategy needs',
  },
  PERL_LACKS_MODULES: {
    means: 'Perl, or a module of it, which compares memory or guards it, is not installed on a host',
    ifAllowed: 'the step that needs it fails, and the run is rolled back',
  },
  NO_USERFAULTFD: {
    means: 'the kernel of the destination does not let criu fetch memory as it is asked for',
    ifAllowed: 'criu fails to restore, and the run is rolled back',
  },
  PIPES_TOO_SMALL: {
    means: 'criu may not make its pipes on the source as large as it must for post-copy',
    ifAllowed:
      'criu may leave out memory: the run is rolled back, or the workload fails when it looks for that',
  },
  IS_INIT: {
    means: 'the workload is process 1, of which the whole host is a part',
  },
  HAS_CRIU_FLOW: { means: 'the connection by which criu-flow works on the source is of the workload' },
  TRACED: {
    means: 'a process of the workload is traced, by a debugger for example',
    ifAllowed: 'criu cannot seize it, and the run is rolled back',
  },
  PID_TAKEN: {
    means: 'an id that the workload has is another process’s on the destination',
    ifAllowed: 'criu fails to restore, and the run is rolled back, unless that process has ended by then',
  },
  PROGRAM_DIFFERS: {
    means:
      'a program or library that the workload has mapped is missing on the destination, or has another size',
    ifAllowed: 'criu refuses to restore, and the run is rolled back',
  },
  FILE_DIFFERS: {
    means:
      'a file that the workload has open is missing on the destination, or has another size, and is not among `files`',
    ifAllowed:
      'criu refuses to restore, and the run is rolled back; but for a file that is only appended to, whose size it does not look at',
  },
  DIRECTORY_MISSING: {
    means: 'the working directory of a process is missing on the destination',
    ifAllowed: 'criu refuses to restore, and the run is rolled back',
  },
  FILES_NOT_OF_CHECKPOINT: {
    means: 'the `files` of the recipe are not those of the checkpoint',
    ifAllowed:
      'a path that the checkpoint lacks cannot be put back, and the run is rolled back; one that is not named stays as it is, and the workload may not know it',
  },
  PROFILE_MISSING: {
    means: 'the AppArmor profile that confines the workload is not loaded on the destination',
    ifAllowed: 'criu fails to restore, and the run is rolled back',
  },
  NO_JOURNAL: {
    means: 'the workload writes to the journal of systemd, and the destination has none',
    ifAllowed: 'criu fails to restore, and the run is rolled back',
  },
  TOO_MANY_STREAMS: {
    means: 'the workload has more connections to the journal than can be carried',
    ifAllowed: 'criu fails to restore, and the run is rolled back',
  },
  OUTSIDE_SOCKET: {
    means: 'the workload has a unix socket whose other end is outside of it',
    ifAllowed: 'criu fails to dump, and the run is rolled back, unless the connection is closed by then',
  },
  OUTSIDE_PIPE: {
    means: 'the workload reads from, or writes to, a pipe that a process outside of it has open, too',
    ifAllowed:
      'the pipe is another one on the destination, with nobody at its other end: what is written to it ends the workload by SIGPIPE',
  },
  UNKNOWN_FILE: {
    means:
      'the workload has a file open of a kind that criu does not know: `[io_uring]`, `[perf_event]`, `[userfaultfd]` for example',
    ifAllowed:
      'criu fails to dump, and the run is rolled back, unless it is closed by then, or a plugin of criu knows it',
  },
  DEVICE_OPEN: {
    means: 'the workload has a device open that criu does not dump by itself',
    ifAllowed: 'criu fails to dump, and the run is rolled back, unless a plugin of criu knows the device',
  },
  CONNECTIONS_OPEN: {
    means: 'the workload has TCP connections, and `network.connections` is `refuse`',
    ifAllowed: 'criu fails to dump, and the run is rolled back, unless they are closed by then',
  },
  CONNECTION_ELSEWHERE: {
    means: 'a TCP connection that is to be kept does not use an address that moves',
    ifAllowed: 'criu fails to restore, and the run is rolled back',
  },
  ADDRESS_TAKEN: {
    means: 'the destination has the service address already',
    ifAllowed:
      'both hosts answer for it until the source has given it up; a rollback takes it off the destination',
  },
  NO_DEVICE: {
    means: 'the destination has no network device of that name',
    ifAllowed: 'the address cannot be put there, and the run is rolled back',
  },
  NO_SHARED_DIRECTORY: {
    means: 'the directory of `transfer/shared` is missing on a host',
    ifAllowed: 'the probe of the shared directory fails before anything is frozen',
  },
  NO_ROOM: {
    means: 'a disk has less room than the images may need',
    ifAllowed: 'the images may not fit: then the run is rolled back',
  },
  CLOCK_DIFFERS: {
    means:
      'the clocks of two hosts are more than two seconds apart; for `criu-flow doctor`, that of a host and of this machine',
    ifAllowed:
      'the time of day jumps for the workload when it moves; certificates and tokens may not be valid',
  },
};
