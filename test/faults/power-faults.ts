import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { labKillHost, labStartHost } from '../../src/lab/lab.ts';
import type { MigrationLab } from '../helpers/migration-lab.ts';
import type { Fault, Side } from './fault.ts';
import { sayAgainEachSecond } from './network-faults.ts';

export const sourceHostKilled: Fault = hostKilled('source host killed', 'from');
export const destinationHostKilled: Fault = hostKilled('destination host killed', 'to');

function hostKilled(title: string, side: 'from' | 'to'): Fault {
  return {
    title,
    notAtEnd: 'the run is over',
    async inject(scene) {
      const { lab, pid } = scene;
      const host = scene[side];
      const wasThere = existsSync(`/proc/${await lab.init(host)}/root/proc/${pid}`);
      await labKillHost(lab.lab.name, host);
      const held =
        side === 'from' ? isFrozen(runOn(lab, host), runOn(lab, scene.to)) : isHeld(runOn(lab, host));
      return { tookWorkload: wasThere && !held };
    },
    async heal(scene) {
      await labStartHost(scene.lab.lab.name, scene[side]);
      await settleIn(scene.lab, scene[side]);
    },
  };
}

/** The run's directory as it is on the disk of a host that is off. */
function runOn(lab: MigrationLab, host: Side): string {
  const runs = join(lab.lab.directory, 'hosts', host, 'own/var/lib/criu-flow');
  const names = existsSync(runs) ? readdirSync(runs).filter((name) => name !== 'locks') : [];
  return join(runs, names.toSorted().at(-1) ?? 'none');
}

/** Its images were complete, and it had not been let go: the source's copy is in them as it was. A memory that was streamed is on the destination. */
function isFrozen(run: string, onDestination: string): boolean {
  const isThere =
    !existsSync(join(run, 'images.streamed')) || existsSync(join(onDestination, 'restore/started'));
  return isThere && existsSync(join(run, 'dump/held')) && !existsSync(join(run, 'dump/aborted'));
}

/** Rebuilt from its images, and not let go. */
function isHeld(run: string): boolean {
  return existsSync(join(run, 'restore/started')) && !existsSync(join(run, 'restore/resuming'));
}

/** The hosts number their processes far from each other, however many runs they have seen: a PID that moves is free. */
export async function settleIn(lab: MigrationLab, host: Side): Promise<void> {
  const last = { a: 100_000, b: 500_000 }[host];
  await lab.sh(host, 'echo "$1" > /proc/sys/kernel/ns_last_pid', String(last));
  await sayAgainEachSecond(lab, host);
}
