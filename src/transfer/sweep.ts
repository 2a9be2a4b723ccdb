import { BOOT_FUNCTION } from '../host/boot-function.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { REVOKE_SCRIPT } from './one-run-key.ts';
import { STAGE_UNDO_SCRIPT } from './staging.ts';

/**
 * Removes what runs left on a host that lost its power before their restore began: staged copies, the key, images.
 * A run whose criu was ever started there, or whose images had all come, is left alone: its images may be the last copy of a workload; so is one whose
 * files cannot be put back. Arguments: the directory of all runs, the script that undoes the staging, the script that revokes the key.
 */
const SWEEP_SCRIPT = `
${BOOT_FUNCTION}
now=$(boot)
for run in "$1"/*; do
  [ -f "$run/boot" ] && [ "$(cat "$run/boot")" != "$now" ] || continue
  [ ! -f "$run/images.arrived" ] && [ ! -f "$run/images.sha256" ] && [ ! -f "$run/restore/started" ] && [ ! -f "$run/dump/started" ] || continue
  xargs -0 sh -c "$2" criu-flow "$run" < "$run/staging" || continue
  sh -c "$3" criu-flow "$run" "\${run##*/}"
  rm -rf "$run"
done
`;

/** Sweeps a destination before a run stages anything there. */
export async function sweepLostRuns(destination: Host, runsDirectory: string): Promise<void> {
  await mustRunScript(destination, SWEEP_SCRIPT, [runsDirectory, STAGE_UNDO_SCRIPT, REVOKE_SCRIPT], {
    what: 'Removing what a lost run left',
  });
}
