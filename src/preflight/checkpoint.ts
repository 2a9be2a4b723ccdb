import type { FoundWorkload } from '../checkpoint/look-up.ts';
import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import type { Plan } from '../plan/plan.ts';
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
  const alive = await survivors(host, workload.processes);
  const [first] = alive;
  // What it is made of is taken and changed by itself: to say so too would be an echo.
  if (first !== undefined) {
    return [
      {
        host: host.name,
        message: `The workload of the checkpoint still runs on ${host.name}, process ${alive.join(', ')}`,
        remedy: 'A restore would be a second copy. End it first, if the checkpoint is to take its place.',
        command: commandOn(host, ['kill', '-KILL', ...alive.map(String)]),
      },
    ];
  }
  return [
    ...fileFindings(host, checkpoint.files, plan),
    ...(await destinationFindings(host, workload, plan)),
  ];
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
    ...lacking.map((path) => ({
      host: name,
      message: `The checkpoint has no ${path}`,
      remedy: 'Take it out of `files`: it was none of the checkpoint.',
    })),
    ...forgotten.map((path) => ({
      host: name,
      message: `The checkpoint has ${path}, which is not among the files of the recipe`,
      remedy: 'Add it to `files`: the workload must find its files as they were.',
    })),
  ];
}
