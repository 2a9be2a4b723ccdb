/** What one host of a lab is made from. */
export interface LabHostSpec {
  readonly lab: string;
  readonly name: string;
  /** Its number in the lab, from 1. */
  readonly index: number;
  readonly address: string;
  /** Its place on this machine, below the lab's. */
  readonly directory: string;
  /** Files of its own, as they lie in it: its keys and names. */
  readonly ownDirectory: string;
  /** A directory of this machine that it sees as `/shared`, where its driver can show it one. */
  readonly sharedDirectory: string;
  readonly rateMbitPerSecond: number | undefined;
  readonly machine: MachineOptions;
}

/** What can differ from machine to machine. */
export interface MachineOptions {
  /** A CPU model of QEMU's, for example `Nehalem`. @default `max` */
  readonly cpu?: string | undefined;
  /** The Debian release, and with it the kernel and the criu. @default `trixie` */
  readonly release?: MachineRelease | undefined;
}

/** trixie: kernel 6.12 and criu 4.1; bookworm: kernel 6.1 and criu 3.17. */
export const machineReleases = ['trixie', 'bookworm'] as const;
export type MachineRelease = (typeof machineReleases)[number];

/** As far as it matters to what a host is built from. */
type HostKind = Pick<LabHostSpec, 'machine'>;

/** How the hosts of a lab come to be. */
export interface LabDriver {
  /**
   * Refuses on a machine that cannot build such a lab. Changes nothing.
   * @throws FlowError LAB_REQUIREMENT_MISSING that names all that is missing
   */
  readonly require: (hosts: readonly HostKind[]) => Promise<void>;
  /**
   * Builds what these hosts are made from, unless it is in the cache.
   * @throws FlowError LAB_FAILED
   */
  readonly build: (hosts: readonly HostKind[], onProgress: (text: string) => void) => Promise<void>;
  /**
   * Starts a host that is off, with the disk that it had, and waits until its sshd answers.
   * @throws FlowError LAB_FAILED with the last words of what it said
   */
  readonly start: (host: LabHostSpec) => Promise<void>;
}

/**
 * Each host numbers its processes from elsewhere, as hosts of different ages do: a moved PID is then mostly free. Far apart, since one
 * that does more catches up with the next; below the 32768 of a small machine (proc_sys_kernel(5), pid_max).
 */
export function firstPid({ index }: Pick<LabHostSpec, 'index'>): number {
  return ((9000 * index) % 32_000) + 500;
}
