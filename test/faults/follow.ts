import { setTimeout as sleep } from 'node:timers/promises';
import type { CliResult } from '../helpers/cli.ts';
import type { Controller, StartedController } from './controller.ts';

/** What only a person can decide: the workload died with its host after it had moved, and its images are older than its end. */
export const BY_HAND = 'a person from the images';

/** Kills what brings a run to its end, in its middle. */
export interface SecondFault {
  /** Lines that its report gets to have. */
  readonly afterLines: number;
  /** Milliseconds after the last of them. */
  readonly afterMs: number;
}

export interface Followed {
  /** What was needed: `rollback`, `resume`, {@link BY_HAND}. */
  readonly commands: readonly string[];
  /** Those of the commands that were killed. */
  readonly killed: readonly string[];
  /** What was printed and does not work as printed. */
  readonly violations: readonly string[];
}

/** Of a run that ended well. */
export const NOTHING_LEFT: Followed = { commands: [], killed: [], violations: [] };

/** More than any run needs. */
const MOST_ROUNDS = 8;

/**
 * Does what a person does with a run that did not end well: pastes what its report says, then asks for the state and
 * pastes what that advises, until it has no more to say.
 * @param report of the run, as far as it came
 */
export async function follow(
  controller: Controller,
  report: string,
  secondFaults: readonly SecondFault[] = [],
): Promise<Followed> {
  const [commands, killed, violations]: [string[], string[], string[]] = [[], [], []];
  const followed = { commands, killed, violations };
  const run = controller.newestRun();
  for (const command of commandsOf(report)) {
    const { exitCode } = await controller.paste(command).ended;
    if (isBroken(command, exitCode)) violations.push(`of the report: ${command}: exit code ${exitCode}`);
  }
  if (run === undefined) return followed;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const status = await controller.paste(`criu-flow status ${run}`).ended;
    if (status.exitCode === 0) return followed;
    const command = /^next: (.*)$/m.exec(status.stdout)?.[1];
    if (status.exitCode !== 6) violations.push(`status: exit code ${status.exitCode}`);
    if (command === undefined) return followed;
    if (command.startsWith('criu-flow status ')) {
      await sleep(1000);
      continue;
    }
    const [program, verb = ''] = command.split(' ');
    const name = program === 'criu-flow' ? verb : BY_HAND;
    const second = program === 'criu-flow' ? secondFaults[killed.length] : undefined;
    const done = await pasteUntil(controller, command, second);
    commands.push(name);
    if (done.exitCode === null) killed.push(name);
    else if (!ENDS.has(done.exitCode)) violations.push(`${command}: exit code ${done.exitCode}`);
  }
  violations.push(`after ${MOST_ROUNDS} rounds status still has advice`);
  return followed;
}

/** Done; a person is needed, as status will say; moved, but something was missed. */
const ENDS: ReadonlySet<number> = new Set([0, 6, 7]);

/** What the report of a run has to be pasted: how to look, and what each failure says. The last list is what status decides. */
function commandsOf(report: string): readonly string[] {
  const looks = /^To do by hand, look first:\n((?: {2}.*\n)*)/m.exec(report)?.[1]?.split('\n') ?? [];
  const runs = [...report.matchAll(/^ {2}run: (.*)$/gm)].map(([, command = '']) => command);
  const all = [...looks.map((line) => line.trim()), ...runs];
  return [...new Set(all.filter((command) => command !== '' && !command.startsWith('criu-flow ')))];
}

/** By the shell (127: no such program, 126, 2) or by ssh (255); how a tool answers is its own. */
function isBroken(command: string, exitCode: number | null): boolean {
  return exitCode === 126 || exitCode === 127 || (command.startsWith('ssh ') && exitCode === 255);
}

async function pasteUntil(
  controller: Controller,
  command: string,
  second: SecondFault | undefined,
): Promise<CliResult> {
  if (!second) return controller.paste(command).ended;
  let lines = 0;
  const onLine = (_line: string, started: StartedController): void => {
    lines += 1;
    if (lines === second.afterLines) setTimeout(() => started.signal('SIGKILL'), second.afterMs);
  };
  return controller.paste(command, { onLine }).ended;
}
