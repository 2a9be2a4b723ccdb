import { type FirstScript, taskLine } from '../criu/hold.ts';
import { FlowError } from '../errors/flow-error.ts';
import { commandOn } from '../host/command-on.ts';
import { ADDRESS_ADD } from '../network/address-script.ts';
import { STAGE_SWAP_SCRIPT, stagingArguments } from '../transfer/staging.ts';
import { idsOf } from '../workload/facts.ts';
import { restoreHold } from './criu-options.ts';
import { stagedFiles } from './staged-files.ts';
import type { StepContext } from './step.ts';

/**
 * Checks that every pid is free, writes down what criu is to rebuild, puts the files into their place and adds the address, in one
 * round trip. Arguments: the pids, separated by spaces; the hold's file \`tasks\`; its text; the address and device or two empty
 * strings; the run's directory; the staged files.
 */
const TAKE_PLACE_SCRIPT = `
for pid in $1; do
  [ ! -d "/proc/$pid" ] || { echo "$pid $(tr '\\0' ' ' < "/proc/$pid/cmdline")" >&2; exit 3; }
done
printf '%s\\n' "$3" > "$2.new" && mv "$2.new" "$2" || exit 5
if [ -n "$4" ]; then
  case $4 in *:*) nodad=nodad ;; *) nodad= ;; esac
  # It may have come before.
  ${ADDRESS_ADD} || [ -n "$(ip -o address show dev "$5" to "\${4%/*}" 2> /dev/null)" ] || exit 4
fi
shift 5
${STAGE_SWAP_SCRIPT}`;

/** The same, with the renames on the disk when it ends: after the commit there is no other copy. */
const TAKE_PLACE_FOR_GOOD_SCRIPT = `
take_place() {
  ${TAKE_PLACE_SCRIPT}
}
take_place "$@"
shift 6
while [ $# -gt 0 ]; do
  sync -- "\${1%/*}/."
  shift 3
done
`;

/** What runs before criu rebuilds the workload on the destination. Idempotent. */
export function takePlace(context: StepContext): FirstScript {
  return { script: TAKE_PLACE_SCRIPT, args: placeArguments(context) };
}

/** What runs when it is past the commit, and there is nobody but the images. Idempotent. */
export function takePlaceForGood(context: StepContext): FirstScript {
  return { script: TAKE_PLACE_FOR_GOOD_SCRIPT, args: placeArguments(context) };
}

function placeArguments(context: StepContext): readonly string[] {
  const { plan, state, runDirectory } = context;
  const address = plan.network.address;
  const { checkpoint } = state;
  const workload = checkpoint?.workload ?? state.workload;
  // An attempt that takes the run up knows only what there was before the freeze.
  const frozenTasks = checkpoint?.tasks ?? state.frozenTasks ?? workload?.processes ?? [];
  const ids = new Set([...(workload ? idsOf(workload) : []), ...frozenTasks.map(({ pid }) => pid)]);
  const executables = new Map(workload?.processes.map(({ pid, executable }) => [pid, executable]));
  // Its start time there is still to come.
  const tasks = frozenTasks.map(({ pid }) =>
    taskLine({ pid, startTicks: 0, executable: executables.get(pid) ?? '' }),
  );
  return [
    [...ids].join(' '),
    `${restoreHold(runDirectory)}/tasks`,
    tasks.join('\n'),
    address?.cidr ?? '',
    address?.device ?? '',
    runDirectory,
    ...stagingArguments(stagedFiles(context)),
  ];
}

/** Why the place on the destination could not be taken. */
export function placeRefused(
  { plan, destination, state }: StepContext,
  result: { readonly exitCode: number; readonly stderr: string },
): FlowError {
  const said = result.stderr;
  const address = plan.network.address;
  if (result.exitCode === 3) {
    const [pid, ...command] = said.split(' ');
    return new FlowError('RESTORE_FAILED', `PID ${pid} of the workload is taken on ${destination.name}`, {
      host: destination.name,
      evidence: `${pid} is ${command.join(' ') || 'a kernel thread'}`,
      hint: `A process keeps its PID when it moves. End that process there, ${state.committed ? 'then resume the run' : 'or choose another destination'}.`,
      command: commandOn(destination, ['ps', '-fp', pid ?? '']),
    });
  }
  if (result.exitCode === 4) {
    return new FlowError(
      'ADDRESS_FAILED',
      `${address?.cidr} cannot be added to ${address?.device} on ${destination.name}`,
      {
        host: destination.name,
        evidence: said,
        command: commandOn(destination, ['ip', 'address', 'show']),
      },
    );
  }
  return new FlowError('FILES_CONFLICT', `The files cannot take their place on ${destination.name}`, {
    host: destination.name,
    evidence: said,
  });
}
