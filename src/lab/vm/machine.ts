import { FlowError } from '../../errors/flow-error.ts';
import { lastLines, machine as here, mustRun } from '../tools.ts';
import type { Accelerator } from './accelerator.ts';
import type { MachineImage } from './image.ts';
import { qemuProgram } from './qemu.ts';
import { Wire } from './wire.ts';

/** One machine, as QEMU is told of it. Whoever goes on from a saved state must be told of the same. */
export interface VirtualMachine {
  readonly qemuRoot: string;
  readonly image: MachineImage;
  readonly accelerator: Accelerator;
  readonly cpu: string;
  /** Where its disk, its sockets and what it says are. */
  readonly directory: string;
  /** A raw image; the files of the host that it becomes. */
  readonly ownDisk: string;
  /** This machine's end of its network link: a tap. */
  readonly tap: string;
}

/** MiB: what a machine of a lab has, and so the most that its QEMU uses, but for some 30 of its own. */
export const memoryMiB = 256;

/** Milliseconds that an emulated machine may take to boot, on a machine that has other work too. */
export const bootTimeoutMs = 400_000;

/** The archive of a host's own files, filled up to this: a machine whose state was saved knows the size of its disks. */
export const ownDiskSizeBytes: number = 1024 * 1024;

/** Makes a disk over another one, which stays as it is. */
export async function makeDisk(
  qemuRoot: string,
  disk: string,
  over: { readonly file: string; readonly format: 'raw' | 'qcow2' },
): Promise<void> {
  await mustRun('Making the disk of a machine', [
    ...qemuProgram(qemuRoot, 'qemu-img'),
    ...['create', '-q', '-f', 'qcow2', '-F', over.format, '-b', over.file, disk],
  ]);
}

/** Adds the tap, in the place of one that was left. */
export async function addTap(tap: string): Promise<void> {
  await here.run(['ip', 'link', 'delete', tap]);
  await mustRun('Adding the network link of a machine', ['ip', 'tuntap', 'add', 'dev', tap, 'mode', 'tap']);
}

/**
 * The command that runs a machine. Flushes of the guest reach this machine's kernel, so that what it has synced is there
 * after its QEMU was killed, and what it has not is lost, as by a power cut.
 */
export function qemuArgv(vm: VirtualMachine): readonly string[] {
  const { image, directory } = vm;
  return [
    ...qemuProgram(vm.qemuRoot, 'qemu-system-x86_64'),
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-machine', 'pc', '-accel', vm.accelerator === 'kvm' ? 'kvm' : 'tcg,thread=multi', '-cpu', vm.cpu],
    ...['-smp', '1', '-m', String(memoryMiB)],
    ...['-kernel', image.kernel, '-initrd', image.initramfs],
    ...['-append', 'root=/dev/vda rw console=ttyS0 mitigations=off panic=-1 systemd.show_status=1'],
    ...['-drive', `file=${directory}/disk.qcow2,format=qcow2,if=virtio,cache=writeback`],
    ...['-drive', `file=${vm.ownDisk},format=raw,if=virtio,readonly=on`],
    ...['-netdev', `tap,id=net,ifname=${vm.tap},script=no,downscript=no`],
    ...['-device', 'virtio-net-pci,netdev=net,romfile='],
    ...['-chardev', `file,id=console,path=${directory}/console.log,append=on`, '-serial', 'chardev:console'],
    ...['-chardev', `socket,id=wire,path=${directory}/wire,server=on,wait=off`, '-serial', 'chardev:wire'],
  ];
}

/**
 * Tells a machine that waits to become a host the time, and waits until it is one.
 * @throws FlowError LAB_FAILED with the last lines of its console
 */
export async function becomeHost(
  vm: VirtualMachine,
  options: { readonly name: string; readonly resumed: boolean },
): Promise<void> {
  const wire = await Wire.open(`${vm.directory}/wire`);
  try {
    const waits = options.resumed || (await wire.until('waiting', bootTimeoutMs));
    if (waits && (await tell(wire)) && (await wire.until('ready', bootTimeoutMs))) return;
  } finally {
    wire.close();
  }
  throw await bootFailed(vm, options.name);
}

/** @returns whether the machine heard it */
async function tell(wire: Wire): Promise<boolean> {
  const deadlineMs = performance.now() + bootTimeoutMs;
  while (performance.now() < deadlineMs && !wire.isCut) {
    wire.say(`become ${(Date.now() / 1000).toFixed(3)}`);
    if (await wire.until('heard', 500)) return true;
  }
  return false;
}

/** The error of a machine that did not come up. */
export async function bootFailed(vm: VirtualMachine, name: string): Promise<FlowError> {
  const console = await here.run(['tail', '-n', '20', `${vm.directory}/console.log`]);
  return new FlowError('LAB_FAILED', `The machine ${name} did not come up`, {
    host: 'local',
    hint: `Its console says why: ${vm.directory}/console.log`,
    evidence: lastLines(console.stdout),
  });
}
