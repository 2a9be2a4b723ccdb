import { existsSync } from 'node:fs';
import { machine } from '../tools.ts';
import type { MachineImage } from './image.ts';
import { qemuProgram } from './qemu.ts';

/** What runs the instructions of a machine: the processor by itself, or QEMU, some thirty times slower. */
export type Accelerator = 'kvm' | 'tcg';

/** Milliseconds in which a kernel that KVM runs finds that it has no disk, and gives up. */
const probeTimeoutMs = 20_000;

/**
 * Tries KVM with the kernel that will be booted: /dev/kvm can be there and run no guest (kernels built with CONFIG_KVM_PVM
 * need one that knows of it).
 */
export async function chooseAccelerator(qemuRoot: string, { kernel }: MachineImage): Promise<Accelerator> {
  if (!existsSync('/dev/kvm')) return 'tcg';
  const boots = await machine
    .run(
      [
        ...qemuProgram(qemuRoot, 'qemu-system-x86_64'),
        ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
        ...['-machine', 'pc', '-accel', 'kvm', '-cpu', 'max', '-m', '128', '-kernel', kernel],
        ...['-append', 'console=ttyS0 panic=-1'],
      ],
      { timeoutMs: probeTimeoutMs },
    )
    .then(({ exitCode, stdout }) => exitCode === 0 && stdout.includes('Kernel panic'))
    .catch(() => false);
  return boots ? 'kvm' : 'tcg';
}
