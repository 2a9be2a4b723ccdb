import { type Command, Option } from 'commander';
import { REPORTER_KINDS } from '../report/reporter.ts';
import type { DoctorCommandOptions } from './commands/doctor.ts';
import type { LocksCommandOptions } from './commands/locks.ts';
import type { StatusCommandOptions } from './commands/status.ts';
import type { TakeUpCommandOptions } from './commands/take-up.ts';
import { examples } from './help.ts';

/** What a person needs who asks hosts, before a run, or when a controller died, or two runs met: doctor, status, resume, rollback, locks, unlock. */
export function addRecovery(program: Command, done: (exitCode: number) => void): void {
  reaching(program.command('status'))
    .description('say where the workload of a run is alive, and what to do next; asks both hosts')
    .argument('<run>', 'its id, a beginning or an end of it, or the path of its directory')
    .option('--json', 'for programs')
    .addHelpText(
      'after',
      `${examples('criu-flow status 20261123-142339-a1b2')}\n\nExits with 0 when nothing is left to do, with 6 otherwise.`,
    )
    .action(async (run: string, options: StatusCommandOptions) => {
      const { statusCommand } = await import('./commands/status.ts');
      done(await statusCommand(run, options));
    });

  for (const [goal, description] of [
    ['resume', 'bring a run whose controller died to its end: after the commit forward, else anew'],
    ['rollback', 'take back what a run whose controller died has left, up to the commit point'],
  ] as const) {
    const command = reaching(program.command(goal))
      .description(description)
      .argument('<run>', 'its id, a beginning or an end of it, or the path of its directory')
      .addOption(
        new Option(
          '--reporter <kind>',
          'how to show it (default: tree on a terminal, else plain lines)',
        ).choices(REPORTER_KINDS),
      )
      .option(
        '--take-over',
        'take it from a controller that hangs, or that cannot be seen from here and has ended',
      )
      .option('--force', 'go on although the plan or the workload has changed')
      .addHelpText('after', examples(`criu-flow ${goal} 20261123-142339-a1b2`))
      .action(async (run: string, options: TakeUpCommandOptions) => {
        const { takeUpCommand } = await import('./commands/take-up.ts');
        done(await takeUpCommand(goal, run, options));
      });
    if (goal === 'resume') {
      command.option(
        '--source-is-gone',
        'the source, which does not answer, will never run again: let what came to the destination run. ' +
          'When it is not true, two copies run',
      );
    }
  }

  program
    .command('approve')
    .description('agree that a run goes on which waits for approval, or do not')
    .argument('<run>', 'its id, a beginning or an end of it, or the path of its directory')
    .option('--reject', 'end the run instead; what it has changed is rolled back')
    .option('--reason <text>', 'why, for whoever reads the journal')
    .addHelpText(
      'after',
      examples(
        'criu-flow approve 20261123-142339-a1b2',
        "criu-flow approve 20261123-142339-a1b2 --reject --reason 'the backup still runs'",
      ),
    )
    .action(async (run: string, { reject = false, reason }: { reject?: boolean; reason?: string }) => {
      const { approveCommand } = await import('./commands/approve.ts');
      done(await approveCommand(run, { reject, reason }));
    });

  reaching(program.command('doctor'))
    .description(
      'say whether hosts are ready for moves, what to install or set, and which can receive from which',
    )
    .argument('<host...>', 'as in a recipe: root@a, an alias of ssh_config')
    .option('--json', 'for programs')
    .addHelpText(
      'after',
      `${examples('criu-flow doctor root@a root@b')}\n\nExits with 0 when all are ready, with 4 otherwise. Nothing is changed.`,
    )
    .action(async (hosts: string[], options: DoctorCommandOptions) => {
      const { doctorCommand } = await import('./commands/doctor.ts');
      done(await doctorCommand(hosts, options));
    });

  reaching(program.command('locks'))
    .description('show which runs hold which process ids on hosts')
    .argument('<host...>', 'as in a recipe: root@a, an alias of ssh_config')
    .addHelpText('after', examples('criu-flow locks root@a root@b'))
    .action(async (hosts: string[], options: LocksCommandOptions) => {
      const { locksCommand } = await import('./commands/locks.ts');
      done(await locksCommand(hosts, options));
    });

  reaching(program.command('unlock'))
    .description('give up the lock of a run that nobody can roll back any more')
    .argument('<run>', "a run's id")
    .argument('<host...>', 'where')
    .requiredOption('--reason <text>', "why, for whoever reads the host's system log later")
    .addHelpText(
      'after',
      examples("criu-flow unlock 20261123-142339-a1b2 root@b --reason 'its controller burnt down'"),
    )
    .action(async (run: string, hosts: string[], options: LocksCommandOptions & { reason: string }) => {
      const { unlockCommand } = await import('./commands/locks.ts');
      done(await unlockCommand(run, hosts, options));
    });
}

/** How the hosts are reached, as in `run`. */
function reaching(command: Command): Command {
  return command
    .addOption(
      new Option('--lab <name>', 'reach the hosts of this lab by their names').conflicts('sshConfig'),
    )
    .option('--ssh-config <file>', 'another file than ~/.ssh/config, as ssh -F');
}
