import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cachedPath, ensureCached } from '../cache.ts';
import { FlowError } from '../../errors/flow-error.ts';
import { lastLines, machine as here } from '../tools.ts';
import type { MachineImage } from './image.ts';
import {
  addTap,
  bootFailed,
  bootTimeoutMs,
  makeDisk,
  ownDiskSizeBytes,
  qemuArgv,
  type VirtualMachine,
} from './machine.ts';
import { Wire } from './wire.ts';

/** A machine that has booted and waits to become a host. */
export interface SavedState {
  /** Its memory and devices. */
  readonly file: string;
  /** Its disk, over that of the image. */
  readonly disk: string;
}

/**
 * Boots a machine and saves its state, when there is none in the cache: as long as it takes to boot.
 * @throws FlowError LAB_FAILED
 */
export async function ensureSavedState(
  qemuRoot: string,
  image: MachineImage,
  cpu: string,
  onProgress: (text: string) => void = () => {},
): Promise<SavedState> {
  const template = { qemuRoot, image, cpu, accelerator: 'tcg' as const, directory: '', ownDisk: '', tap: '' };
  // Every part of the command, and with it the QEMU and the image.
  const place = { kind: 'vm-state', ingredients: qemuArgv(template) };
  if (!existsSync(cachedPath(place))) {
    onProgress('booting a machine once, to start all others from its saved state');
  }
  const directory = await ensureCached({
    ...place,
    build: (building) => save({ ...template, directory: building }),
  });
  return { file: `${directory}/state`, disk: `${directory}/disk.qcow2` };
}

async function save(template: VirtualMachine): Promise<void> {
  const { directory } = template;
  const vm = { ...template, ownDisk: `${directory}/no-host`, tap: `cfsave${process.pid}` };
  await mkdir(directory);
  // As large as the archive that takes its place: the machine remembers the size of its disk.
  await writeFile(vm.ownDisk, Buffer.alloc(ownDiskSizeBytes));
  await makeDisk(vm.qemuRoot, `${directory}/disk.qcow2`, { file: vm.image.disk, format: 'raw' });
  await addTap(vm.tap);
  try {
    let waits = false;
    const result = await here.run([...qemuArgv(vm), '-monitor', 'stdio'], {
      timeoutMs: 2 * bootTimeoutMs,
      stdin: hasBooted(`${directory}/wire`).then((came) => {
        waits = came;
        // A machine that is stopped first would go on stopped.
        return came ? `migrate file:${directory}/state\nquit\n` : 'quit\n';
      }),
    });
    if (!waits && result.exitCode === 0) throw await bootFailed(vm, 'whose state was to be saved');
    if (result.exitCode !== 0 || !existsSync(`${directory}/state`)) {
      throw new FlowError('LAB_FAILED', 'The state of a machine could not be saved', {
        host: 'local',
        evidence: lastLines(result.stdout + result.stderr),
      });
    }
  } finally {
    await here.run(['ip', 'link', 'delete', vm.tap]);
  }
}

/** Never rejects: what waits for it is the input of a program. */
async function hasBooted(socket: string): Promise<boolean> {
  try {
    const wire = await Wire.open(socket);
    try {
      return await wire.until('waiting', bootTimeoutMs);
    } finally {
      wire.close();
    }
  } catch {
    return false;
  }
}
