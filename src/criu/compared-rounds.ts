import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { killProcess } from '../host/remote-process.ts';
import { mustRunScript } from '../host/shell.ts';
import { COMPARE_PROGRAM } from './compare-script.ts';

/** In a run's directory on the source: what was written of each process until now. */
const MEMORY = 'compared';

/** Makes the directory in which it is remembered what the rounds have, mode 0700. */
export async function makeComparedDirectory(source: Host, runDirectory: string): Promise<void> {
  await mustRunScript(source, 'umask 077; mkdir -p "$1"', [`${runDirectory}/${MEMORY}`], {
    what: 'Making the directory of the rounds',
  });
}

/**
 * Perl that writes a round of images, in a directory that is there, of processes that run on: all that has changed since the last round.
 * @param number of the round, from 1 on
 * @param sshConfigFile on the source, that has the destination, to which it goes at once; undefined where it is sent later
 */
export function compareArguments(
  runDirectory: string,
  number: number,
  sshConfigFile: string | undefined,
  processes: readonly { readonly pid: number; readonly startTicks: number }[],
): readonly string[] {
  const tasks = processes.map(({ pid, startTicks }) => `${pid}:${startTicks}`);
  return [
    'perl',
    '-e',
    COMPARE_PROGRAM,
    'round',
    ...placesOf(runDirectory, sshConfigFile),
    String(number),
    ...tasks,
  ];
}

function placesOf(runDirectory: string, sshConfigFile = ''): readonly string[] {
  return [`${runDirectory}/images`, `${runDirectory}/${MEMORY}`, sshConfigFile];
}

/** Whether all of a round has come to the destination while it was written. @param directory of {@link comparedRoundDirectory} */
export async function wasSent(source: Host, directory: string): Promise<boolean> {
  const { exitCode } = await source.run(['test', '-f', `${directory}/sent`]);
  return exitCode === 0;
}

/** Ends each round that is at work. Idempotent. */
export async function endComparedRounds(source: Host, runDirectory: string): Promise<void> {
  const { stdout } = await mustRunScript(
    source,
    'ls -d "$1"/round-*/process 2> /dev/null || :',
    [`${runDirectory}/${MEMORY}`],
    { what: 'Looking for rounds' },
  );
  for (const process of stdout.split('\n').filter(Boolean)) await killProcess(source, process);
}

/** Of a round: beside what is remembered. */
export function comparedRoundDirectory(runDirectory: string, round: string): string {
  return `${runDirectory}/${MEMORY}/${round}`;
}

/**
 * `criu dump` that sends the memory to Perl beside it, which writes what the rounds lack.
 * @param sshConfigFile as that of {@link compareArguments}
 * @param dump criu and its arguments
 */
export function comparedDumpArguments(
  runDirectory: string,
  sshConfigFile: string | undefined,
  dump: readonly string[],
): readonly string[] {
  return ['perl', '-e', COMPARE_PROGRAM, 'dump', ...placesOf(runDirectory, sshConfigFile), ...dump];
}

/**
 * Ends the page server of such a dump, whose criu then lets the tasks go. A script in the hold's directory.
 * @see proc_pid_stat(5), starttime
 */
export const END_COMPARED_DUMP_SCRIPT: string = `
cd "\${0%/*}" || exit
{ read -r pid start < "../${MEMORY}/page-server"; } 2> /dev/null || exit 0
[ "$(sed 's/^.*) //' "/proc/$pid/stat" 2> /dev/null | cut -d ' ' -f 20)" != "$start" ] || kill -KILL "$pid"
`;

/** @throws FlowError DUMP_FAILED, when it was that page server which failed, with its own line */
export async function requireCompared(source: Host, holdDirectory: string): Promise<void> {
  const { stdout } = await source.run(['cat', '--', `${holdDirectory}/process/stderr`]);
  const evidence = /^compare: (.*)$/m.exec(stdout)?.[1];
  if (evidence === undefined) return;
  throw new FlowError(
    'DUMP_FAILED',
    `What criu dumped on ${source.name} could not be compared with what was copied before`,
    {
      host: source.name,
      evidence,
      hint: 'Free some space on the disk of the images, or take `strategy: pre-copy` out.',
    },
  );
}
