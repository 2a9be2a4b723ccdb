import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { imagesDirectory, type StepContext } from './step.ts';

/** Prints the bytes that are free. Argument: a directory. */
const ROOM_SCRIPT = 'df --output=avail -B1 -- "$1" | tail -n 1';

/** What is free for images on the host that has less, in bytes. */
export async function roomOf(context: StepContext): Promise<number> {
  const freeOn = async (host: Host): Promise<number> => {
    const what = 'Looking for room';
    const { stdout } = await mustRunScript(host, ROOM_SCRIPT, [imagesDirectory(context)], { what });
    return Number(stdout);
  };
  return Math.min(...(await Promise.all([context.source, context.destination].map(freeOn))));
}
