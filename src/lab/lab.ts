import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { FlowError } from '../errors/flow-error.ts';
import { addBridge, claimNetwork, cutLink, releaseNetwork, removeBridge, removeLink } from './bridge.ts';
import type { LabDriver, LabHostSpec, MachineOptions } from './driver.ts';
import { hostProcesses, killHostProcesses } from './host-processes.ts';
import { namespaceDriver } from './namespace/namespace-driver.ts';
import { writeOwnFiles } from './own-files.ts';
import { labDirectory, labNotFound, labsDirectory } from './paths.ts';
import { proveCriu } from './prove-criu.ts';
import { makeClientKey, writeSshFiles } from './ssh-files.ts';
import { vmDriver } from './vm/vm-driver.ts';

/**
 * namespace: hosts share the kernel of this machine, start in a second, and are good for timings.
 * vm: each has Debian's own kernel, under KVM or emulated, which takes some thirty times as long for all that it does.
 */
export type LabDriverName = 'namespace' | 'vm';

const drivers: Readonly<Record<LabDriverName, LabDriver>> = { namespace: namespaceDriver, vm: vmDriver };

/** Disposable hosts on this machine over one Debian root file system, joined by a bridge. */
export interface Lab {
  readonly name: string;
  readonly driver: LabDriverName;
  /** Private to root; holds everything that the lab has on disk. */
  readonly directory: string;
  /** An ssh_config(5) that reaches the hosts by their names, with strict host keys. */
  readonly sshConfigFile: string;
  /** A directory of this machine that every host sees as `/shared`. Machines see none. */
  readonly sharedDirectory: string | undefined;
  /** A free address with its prefix length, for a service that moves between the hosts. */
  readonly serviceAddress: string;
  /** The network device that carries addresses, on every host. */
  readonly device: 'eth0';
  readonly hosts: readonly LabHost[];
}

export interface LabHost {
  /** Also its alias in the lab's ssh_config. */
  readonly name: string;
  readonly address: string;
  /** Its process 1, or the QEMU that runs it, as this machine numbers it; undefined when it is off. */
  readonly pid: number | undefined;
  /** What it says while it starts. */
  readonly consoleFile: string;
}

export interface LabUpOptions {
  /** Lower-case letters, digits and hyphens, at most 32. */
  readonly name: string;
  /** Names of hosts, from 1 to 80. */
  readonly hosts: readonly string[];
  /** Megabits per second that each host can send and receive. @default not limited */
  readonly rateMbitPerSecond?: number | undefined;
  /** @default `namespace` */
  readonly driver?: LabDriverName | undefined;
  /** What differs from machine to machine, by the name of the host; for the driver `vm` only. */
  readonly machines?: Readonly<Record<string, MachineOptions>> | undefined;
  /** Takes what happens, in a few words. */
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** What lab.json holds. */
interface LabRecord {
  readonly name: string;
  readonly driver: LabDriverName;
  /** The first three numbers of every address. */
  readonly network: string;
  readonly rateMbitPerSecond: number | undefined;
  readonly hosts: readonly string[];
  readonly machines: Readonly<Record<string, MachineOptions>>;
}

/**
 * Builds a lab and proves with `criu check` that each of its hosts can checkpoint. A lab that
 * cannot be finished is taken down again.
 * @throws FlowError LAB_REQUIREMENT_MISSING, LAB_EXISTS, LAB_FAILED, USAGE
 */
export async function labUp(options: LabUpOptions): Promise<Lab> {
  const {
    name,
    hosts,
    rateMbitPerSecond,
    driver = 'namespace',
    machines = {},
    onProgress = () => {},
  } = options;
  const directory = labDirectory(name);
  assertHostNames(hosts);
  assertRate(rateMbitPerSecond);
  assertMachines({ hosts, driver, machines });
  const unplaced = { name, driver, rateMbitPerSecond, hosts, machines };
  const { require, build, start } = drivers[driver];
  await require(specsOf({ ...unplaced, network: '' }));
  await mkdir(labsDirectory, { recursive: true, mode: 0o700 });
  await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? labExists(name) : error;
  });
  try {
    await build(specsOf({ ...unplaced, network: '' }), onProgress);
    onProgress(`starting ${hosts.join(', ')}`);
    const record: LabRecord = { ...unplaced, network: await claimNetwork(name) };
    await writeFile(`${directory}/lab.json`, `${JSON.stringify(record, undefined, 2)}\n`, { mode: 0o600 });
    await mkdir(`${directory}/shared`, { mode: 0o755 });
    await addBridge(name, `${record.network}.1/24`);
    const publicKey = await makeClientKey(directory);
    const specs = specsOf(record);
    await Promise.all(specs.map((spec) => writeOwnFiles(spec, specs, publicKey)));
    await writeSshFiles(directory, specs);
    await Promise.all(specs.map((spec) => start(spec)));
    onProgress('asking `criu check` on each host');
    await proveCriu(`${directory}/ssh_config`, hosts);
  } catch (error) {
    await labDown(name);
    throw error;
  }
  return labStatus(name);
}

/**
 * What a lab is made of, and which of its hosts are on.
 * @throws FlowError LAB_NOT_FOUND, USAGE
 */
export async function labStatus(name: string): Promise<Lab> {
  const record = readRecord(name);
  const directory = labDirectory(name);
  const hosts = await Promise.all(
    specsOf(record).map(async ({ name: host, address, directory: place }) => {
      const processes = await hostProcesses(place);
      const main = record.driver === 'vm' ? processes[0] : processes.find(({ isInit }) => isInit);
      return { name: host, address, pid: main?.pid, consoleFile: `${place}/console.log` };
    }),
  );
  return {
    name,
    driver: record.driver,
    directory,
    sshConfigFile: `${directory}/ssh_config`,
    sharedDirectory: record.driver === 'vm' ? undefined : `${directory}/shared`,
    serviceAddress: `${record.network}.100/24`,
    device: 'eth0',
    hosts,
  };
}

/** The names of the labs of this machine, those that were never finished too. */
export async function listLabs(): Promise<readonly string[]> {
  const names = await readdir(labsDirectory).catch(() => []);
  return names.filter((name) => !name.startsWith('.')).toSorted();
}

/**
 * Takes a lab down, however far it came, and leaves nothing of it: processes, network devices, files.
 * @throws FlowError LAB_NOT_FOUND, LAB_FAILED when a process does not end, USAGE
 */
export async function labDown(name: string): Promise<void> {
  const directory = labDirectory(name);
  if (!existsSync(directory)) throw labNotFound(name);
  // A process that holds a directory of the lab could still be starting more.
  await killHostProcesses(directory);
  await removeBridge(name);
  await releaseNetwork(name);
  await rm(directory, { recursive: true, force: true });
}

/**
 * Ends a host as a power cut would: its network goes silent first, so that no peer hears of it, and what it had
 * in memory is gone. Its disk stays.
 * @throws FlowError LAB_NOT_FOUND, LAB_FAILED, USAGE
 */
export async function labKillHost(name: string, host: string): Promise<void> {
  const { index, directory } = specOf(readRecord(name), host);
  await cutLink(name, index);
  await killHostProcesses(directory);
  await removeLink(name, index);
}

/**
 * Starts a host that is off, with the disk that it had.
 * @throws FlowError LAB_NOT_FOUND, LAB_FAILED, USAGE
 */
export async function labStartHost(name: string, host: string): Promise<void> {
  const record = readRecord(name);
  const spec = specOf(record, host);
  if ((await hostProcesses(spec.directory)).length > 0) {
    throw new FlowError('USAGE', `The host ${host} of the lab ${name} runs already`);
  }
  await drivers[record.driver].start(spec);
}

function specOf(record: LabRecord, host: string): LabHostSpec {
  const spec = specsOf(record).find((each) => each.name === host);
  if (spec) return spec;
  throw new FlowError('USAGE', `The lab ${record.name} has no host ${JSON.stringify(host)}`, {
    hint: `It has ${record.hosts.join(', ')}.`,
  });
}

function specsOf(record: LabRecord): readonly LabHostSpec[] {
  const directory = labDirectory(record.name);
  return record.hosts.map((name, index) => ({
    lab: record.name,
    name,
    index: index + 1,
    address: `${record.network}.${index + 11}`,
    directory: `${directory}/hosts/${name}`,
    ownDirectory: `${directory}/hosts/${name}/own`,
    sharedDirectory: `${directory}/shared`,
    rateMbitPerSecond: record.rateMbitPerSecond,
    machine: record.machines[name] ?? {},
  }));
}

function readRecord(name: string): LabRecord {
  const directory = labDirectory(name);
  try {
    const record: LabRecord = JSON.parse(readFileSync(`${directory}/lab.json`, 'utf8'));
    return record;
  } catch {
    if (!existsSync(directory)) throw labNotFound(name);
    throw new FlowError('LAB_FAILED', `The lab ${name} was never finished`, {
      hint: 'Take it down and build it again.',
      command: `criu-flow lab down ${name}`,
    });
  }
}

function assertHostNames(hosts: readonly string[]): void {
  const bad = hosts.find((host) => !/^[a-z][a-z0-9-]{0,30}$/.test(host));
  if (bad !== undefined) {
    throw new FlowError('USAGE', `${JSON.stringify(bad)} cannot be the name of a host of a lab`, {
      hint: 'Begin with a lower-case letter, then use lower-case letters, digits and hyphens.',
    });
  }
  if (hosts.length === 0 || hosts.length > 80 || new Set(hosts).size !== hosts.length) {
    throw new FlowError('USAGE', 'A lab has from 1 to 80 hosts, each with a name of its own');
  }
}

function assertRate(rateMbitPerSecond: number | undefined): void {
  if (rateMbitPerSecond === undefined) return;
  if (Number.isInteger(rateMbitPerSecond) && rateMbitPerSecond >= 1 && rateMbitPerSecond <= 100_000) return;
  throw new FlowError('USAGE', 'The rate of a lab is a whole number of Mbit/s from 1 to 100000');
}

function assertMachines({ hosts, driver, machines }: Pick<LabRecord, 'hosts' | 'driver' | 'machines'>): void {
  const stranger = Object.keys(machines).find((name) => !hosts.includes(name));
  if (stranger !== undefined) {
    throw new FlowError('USAGE', `The lab has no host ${JSON.stringify(stranger)}`, {
      hint: `It has ${hosts.join(', ')}.`,
    });
  }
  if (driver !== 'vm' && Object.keys(machines).length > 0) {
    throw new FlowError('USAGE', 'Hosts of this driver share one kernel and one processor', {
      hint: 'Machines that differ need virtual machines.',
      command: 'criu-flow lab up --driver vm',
    });
  }
  const badCpu = Object.values(machines).find(
    ({ cpu }) => cpu !== undefined && !/^[A-Za-z0-9.,_+-]{1,64}$/.test(cpu),
  );
  if (badCpu) throw new FlowError('USAGE', `${JSON.stringify(badCpu.cpu)} cannot be a CPU model`);
}

function labExists(name: string): FlowError {
  return new FlowError('LAB_EXISTS', `There is a lab ${name} already`, {
    hint: 'Use it, take it down, or give the new one another name.',
    command: `criu-flow lab down ${name}`,
  });
}
