import { existsSync, readFileSync } from 'node:fs';
import { truncate, writeFile } from 'node:fs/promises';
import { FlowError } from '../../errors/flow-error.ts';
import { bridgeName, linkName, macAddress, removeLink } from '../bridge.ts';
import { firstPid, type LabDriver, type LabHostSpec } from '../driver.ts';
import { killHostProcesses, markerVariable } from '../host-processes.ts';
import { requireForLab } from '../requirements.ts';
import { lastLines, machine as here, mustRun } from '../tools.ts';
import { chooseAccelerator } from './accelerator.ts';
import { ensureImage } from './image.ts';
import {
  addTap,
  becomeHost,
  makeDisk,
  memoryMiB,
  ownDiskSizeBytes,
  qemuArgv,
  type VirtualMachine,
} from './machine.ts';
import { ensureQemu } from './qemu.ts';
import { ensureSavedState, type SavedState } from './saved-state.ts';

/** The CPU model with all that QEMU can emulate, or that the processor has. */
const usualCpu = 'max';

/** MiB that QEMU itself uses for a machine, besides the machine's memory. */
const qemuMiB = 60;

/** Hosts that are virtual machines with Debian's kernel: for what namespaces cannot show. Not good for timings. */
export const vmDriver: LabDriver = {
  require: (hosts) =>
    requireForLab({ mke2fs: 'e2fsprogs', tar: 'tar' }, async () => probeMachine(hosts.length)),
  build: async (hosts, onProgress) => {
    const qemuRoot = await ensureQemu(onProgress);
    for (const release of new Set(hosts.map(releaseOf))) {
      const image = await ensureImage(release, onProgress);
      const accelerator = await chooseAccelerator(qemuRoot, image);
      onProgress(
        accelerator === 'kvm'
          ? `Debian ${release}: KVM runs the machines`
          : `Debian ${release}: no KVM here, the machines are emulated: right, but some thirty times slower`,
      );
      const some = hosts.find(
        (host) => releaseOf(host) === release && goesOnFromSavedState(host, accelerator),
      );
      if (some) await ensureSavedState(qemuRoot, image, usualCpu, onProgress);
    }
  },
  start: startMachine,
};

async function startMachine(spec: LabHostSpec): Promise<void> {
  const qemuRoot = await ensureQemu(() => {});
  const image = await ensureImage(releaseOf(spec));
  const vm: VirtualMachine = {
    qemuRoot,
    image,
    accelerator: await chooseAccelerator(qemuRoot, image),
    cpu: spec.machine.cpu ?? usualCpu,
    directory: spec.directory,
    ownDisk: `${spec.directory}/own.tar`,
    tap: linkName(spec.lab, spec.index),
  };
  const disk = `${spec.directory}/disk.qcow2`;
  let saved: SavedState | undefined;
  // Only the first time: after a power cut a machine boots from the disk that it had.
  if (!existsSync(disk)) {
    await packOwnFiles(spec, vm.ownDisk);
    if (goesOnFromSavedState(spec, vm.accelerator)) saved = await ensureSavedState(qemuRoot, image, vm.cpu);
    await makeDisk(
      qemuRoot,
      disk,
      saved ? { file: saved.disk, format: 'qcow2' } : { file: image.disk, format: 'raw' },
    );
  }
  await addTap(vm.tap);
  await plugIn(spec);
  try {
    await startQemu(spec, [...qemuArgv(vm), ...(saved ? ['-incoming', `file:${saved.file}`] : [])]);
    await becomeHost(vm, { name: `${spec.name} of the lab ${spec.lab}`, resumed: saved !== undefined });
  } catch (error) {
    await killHostProcesses(spec.directory);
    await removeLink(spec.lab, spec.index);
    throw error;
  }
}

function releaseOf({
  machine,
}: Pick<LabHostSpec, 'machine'>): NonNullable<LabHostSpec['machine']['release']> {
  return machine.release ?? 'trixie';
}

/** With KVM a machine boots as fast; one of another CPU model mostly is the only one. */
function goesOnFromSavedState(
  { machine }: Pick<LabHostSpec, 'machine'>,
  accelerator: 'kvm' | 'tcg',
): boolean {
  return accelerator === 'tcg' && (machine.cpu ?? usualCpu) === usualCpu;
}

/** All that makes it this host and no other, as an archive that it reads as a disk. */
async function packOwnFiles(spec: LabHostSpec, archive: string): Promise<void> {
  await writeFile(
    `${spec.ownDirectory}/etc/criu-flow-lab`,
    [
      `name=${spec.name}`,
      `address=${spec.address}/24`,
      `mac=${macAddress(spec.lab, spec.index)}`,
      `first_pid=${firstPid(spec)}`,
      `rate=${spec.rateMbitPerSecond ?? ''}`,
      '',
    ].join('\n'),
  );
  await mustRun('Packing the files of a host', ['tar', '-C', spec.ownDirectory, '-cf', archive, '.']);
  await truncate(archive, ownDiskSizeBytes);
}

async function plugIn(spec: LabHostSpec): Promise<void> {
  const tap = linkName(spec.lab, spec.index);
  await mustRun('Joining the network of the lab', [
    'ip',
    'link',
    'set',
    tap,
    'master',
    bridgeName(spec.lab),
    'up',
  ]);
  if (spec.rateMbitPerSecond === undefined) return;
  await mustRun('Limiting the rate of a link', [
    ...['tc', 'qdisc', 'add', 'dev', tap, 'root', 'tbf'],
    ...['rate', `${spec.rateMbitPerSecond}mbit`, 'burst', '256kb', 'latency', '400ms'],
  ]);
}

async function startQemu(spec: LabHostSpec, argv: readonly string[]): Promise<void> {
  const started = await here.run([
    ...['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', `${markerVariable}=${spec.directory}`],
    ...[...argv, '-monitor', 'none', '-daemonize'],
  ]);
  if (started.exitCode === 0) return;
  throw new FlowError('LAB_FAILED', `QEMU does not start for the host ${spec.name} of the lab ${spec.lab}`, {
    host: 'local',
    evidence: lastLines(started.stderr),
  });
}

function probeMachine(count: number): readonly string[] {
  const lacks: string[] = [];
  if (process.arch !== 'x64') lacks.push(`an x86-64 processor (this is ${process.arch})`);
  if (!existsSync('/dev/net/tun')) lacks.push('/dev/net/tun (CONFIG_TUN)');
  const availableMiB =
    Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) / 1024;
  const neededMiB = count * (memoryMiB + qemuMiB);
  if (availableMiB < neededMiB) {
    lacks.push(
      `memory: ${count} machines need ${neededMiB} MiB, and ${Math.floor(availableMiB)} MiB are free`,
    );
  }
  return lacks;
}
