import { type FoundWorkload, hasEnded } from '../checkpoint/look-up.ts';
import { findTwins } from '../checkpoint/store.ts';
import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import type { Plan } from '../plan/plan.ts';
import { readAlive } from '../workload/alive.ts';
import { survivors } from '../workload/identity.ts';
import { destinationFindings } from './destination.ts';
import type { Finding } from './finding.ts';

/** What would make the restore of a checkpoint fail, or make it a second copy. Changes nothing. */
export async function checkpointFindings(
  host: Host,
  { workload, checkpoint }: FoundWorkload,
  plan: Plan,
): Promise<readonly Finding[]> {
  if (!checkpoint) throw new Error('a restore has a checkpoint');
  const alive = checkpoint.isOfThisBoot ? await survivors(host, workload.processes) : [];
  // What it is made of is taken and changed by itself: to say so too would be an echo.
  if (alive.length > 0) {
    const which = `process ${alive.join(', ')}`;
    return [secondCopy(host, `The workload of the checkpoint still runs on ${host.name}, ${which}`, alive)];
  }
  const elsewhere = checkpoint.hasEnded ? undefined : await maybeRuns(host, workload, checkpoint);
  if (elsewhere !== undefined) {
    return [
      {
        code: 'SECOND_COPY',
        host: host.name,
        message: elsewhere,
        remedy:
          'A restore would be a second copy. When the workload has ended there, and only then, say so by the command.',
        command: commandOn(host, ['touch', `${checkpoint.directory}/has-ended`]),
      },
    ];
  }
  return [
    ...fileFindings(host, checkpoint.files, plan),
    ...(await destinationFindings(host, workload, plan)),
  ];
}

/** What would make a revert fail, or leave two copies. Changes nothing. */
export async function revertFindings(
  { source, destination }: { readonly source: Host; readonly destination: Host },
  { workload, checkpoint }: FoundWorkload,
  plan: Plan,
): Promise<readonly Finding[]> {
  if (!checkpoint) throw new Error('a revert has a checkpoint');
  const twins = await findTwins(destination, checkpoint.workload);
  if (twins.length > 0) {
    const which = `process ${twins.join(', ')}`;
    const message = `The program of the workload runs on ${destination.name} again, ${which}`;
    return [secondCopy(destination, message, twins)];
  }
  const left = hasEnded(workload) ? await leftOf(source, checkpoint.workload, plan) : [];
  if (left.length > 0) {
    const which = `process ${left.join(', ')}`;
    const message = `The workload has ended on ${source.name}, but for ${which}, or was started again there`;
    return [secondCopy(source, message, left)];
  }
  // Its files are as it left them: nobody has written them since.
  return destinationFindings(destination, { ...checkpoint.workload, files: [] }, plan);
}

/**
 * Prints the processes that are in a session or a group of some pids: one that has ended gives its number to nobody else as long as
 * somebody is in it. Arguments: the pids.
 * @see proc_pid_stat(5): fields 5 and 6
 */
const MEMBERS_SCRIPT = `
pids=" $* "
for file in /proc/[0-9]*/stat; do
  pid=\${file#/proc/} pid=\${pid%/stat}
  set -- $(sed 's/^.*) //' "$file" 2> /dev/null)
  case $1 in [ZX] | '') continue ;; esac
  case $pids in *" $3 "* | *" $4 "*) echo "$pid" ;; esac
done
`;

/**
 * What may be alive of a workload whose root has ended: who has the pid and the command line of one of its processes, who is in a session
 * or a group of one, and who runs its program as it did.
 */
async function leftOf(
  host: Host,
  workload: FoundWorkload['workload'],
  { workload: selector }: Plan,
): Promise<readonly number[]> {
  const commands = new Map(
    workload.processes.map(({ pid, command }) => [pid, command.replaceAll('\n', ' ')]),
  );
  const pids = [...commands.keys()];
  const [{ boot, alive }, members, twins] = await Promise.all([
    readAlive(host, pids),
    mustRunScript(host, MEMBERS_SCRIPT, pids.map(String), { what: 'Looking for the workload' }),
    findTwins(host, workload),
  ]);
  // After a boot of the host its numbers are others'.
  if (selector.kind === 'revert' && selector.boot !== boot) return twins;
  const same = alive.flatMap(({ pid, command }) => (commands.get(pid) === command ? [pid] : []));
  const inside = members.stdout.split('\n').filter(Boolean).map(Number);
  return [...new Set([...same, ...inside, ...twins])].toSorted((one, other) => one - other);
}

function secondCopy(host: Host, message: string, pids: readonly number[]): Finding {
  return {
    code: 'SECOND_COPY',
    host: host.name,
    message,
    remedy: 'A restore would be a second copy. End it first, if the checkpoint is to take its place.',
    command: commandOn(host, ['kill', '-KILL', ...pids.map(String)]),
  };
}

/** Why the workload may run elsewhere, or under another pid; a person has to know. */
async function maybeRuns(
  host: Host,
  workload: FoundWorkload['workload'],
  { isOfThisHost, movedTo }: NonNullable<FoundWorkload['checkpoint']>,
): Promise<string | undefined> {
  if (movedTo !== undefined) return `The workload of the checkpoint has moved to ${movedTo} since`;
  if (!isOfThisHost) return 'The checkpoint was kept on another host, where its workload may run';
  const twins = await findTwins(host, workload);
  return twins.length === 0
    ? undefined
    : `The program of the checkpoint runs on ${host.name} with the same arguments, process ${twins.join(', ')}`;
}

/** The memory of the workload knows its files as they were: it must find these, all of them. */
function fileFindings(
  { name }: Host,
  has: readonly { readonly path: string }[],
  plan: Plan,
): readonly Finding[] {
  const paths = (list: readonly { readonly path: string }[]): string[] => list.map(({ path }) => path);
  const lacking = paths(plan.files).filter((path) => !paths(has).includes(path));
  const forgotten = paths(has).filter((path) => !paths(plan.files).includes(path));
  return [
    ...lacking.map((path): Finding => ({
      code: 'FILES_NOT_OF_CHECKPOINT',
      host: name,
      message: `The checkpoint has no ${path}`,
      remedy: 'Take it out of `files`: it was none of the checkpoint.',
    })),
    ...forgotten.map((path): Finding => ({
      code: 'FILES_NOT_OF_CHECKPOINT',
      host: name,
      message: `The checkpoint has ${path}, which is not among the files of the recipe`,
      remedy: 'Add it to `files`: the workload must find its files as they were.',
    })),
  ];
}
