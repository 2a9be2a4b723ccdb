import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { LabDriverName } from '../lab/lab.ts';
import { FlowError } from '../errors/flow-error.ts';
import { toFailureData } from '../events/failure-data.ts';
import { REPORTER_KINDS, type ReporterKind } from '../report/reporter.ts';
import { version } from '../package/version.ts';
import type { ValidateFormat } from './commands/validate.ts';
import { addCompletion } from './completion-commands.ts';
import { exitCodeOfError } from './exit-codes.ts';
import { examples } from './help.ts';
import { addLearning } from './learning-commands.ts';
import { surviveLostOutput } from './lost-output.ts';
import type { PlanInputs } from './plan-of.ts';
import { addRecovery } from './recovery-commands.ts';

/** Runs one command line. Never throws. @returns the exit code; docs/exit-codes.md is the table */
export async function main(args: readonly string[]): Promise<number> {
  surviveLostOutput();
  let exitCode = 0;
  const program = createProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return printError(error);
  }
}

/** All commands. @param done is told with what the process exits */
export function createProgram(done: (exitCode: number) => void): Command {
  const program = new Command('criu-flow')
    .description('Moves a running Linux process between hosts with CRIU, as a recipe says.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'error USAGE: ')),
    })
    .exitOverride()
    .addHelpText('after', ROOT_HELP);
  // Commander's own "help" command would be one more way to say --help.
  program.helpCommand(false);

  withInputs(program.command('run'))
    .description('run a recipe: a file, or the name of a bundled one')
    .addOption(
      new Option('--lab <name>', 'reach the hosts of this lab by their names').conflicts('sshConfig'),
    )
    .option('--ssh-config <file>', 'another file than ~/.ssh/config, as ssh -F')
    .addOption(
      new Option(
        '--reporter <kind>',
        'how to show the run (default: tree on a terminal, else plain lines)',
      ).choices(REPORTER_KINDS),
    )
    .option('--keep-images', 'leave the images on the source after the move; they hold its memory')
    .option(
      '--from <number>',
      'begin a sequence with this one of its runs; leave out those before it',
      toNumber,
    )
    .addOption(
      new Option(
        '--check',
        'only ask both hosts what preflight asks, and show what the run would do; changes nothing',
      ).conflicts('keepImages'),
    )
    .addHelpText('after', RUN_HELP)
    .action(async (recipe: string, options: RunOptions) => {
      if (options.check === true) {
        const { checkCommand } = await import('./commands/check.ts');
        done(await checkCommand(recipe, { ...options, ...inputsOf(options) }));
        return;
      }
      const { runCommand } = await import('./commands/run.ts');
      done(await runCommand(recipe, { ...options, ...inputsOf(options) }));
    });

  withInputs(program.command('plan'))
    .description('show what a run would do, step by step, without asking any host')
    .option('--json', 'for programs')
    .addHelpText(
      'after',
      examples('criu-flow plan process-rsync -i source=root@a -i destination=root@b -i pid=4711'),
    )
    .action(async (recipe: string, options: InputOptions & { readonly json?: true }) => {
      const { planCommand } = await import('./commands/plan.ts');
      done(await planCommand(recipe, { ...inputsOf(options), json: options.json === true }));
    });

  program
    .command('init')
    .description('ask what is to be moved, and write a recipe of it')
    .argument('<file>', 'the recipe to write; one that is there is left as it is')
    .addHelpText('after', examples('criu-flow init move-nginx.yaml'))
    .action(async (file: string) => {
      const { initCommand } = await import('./commands/init.ts');
      done(await initCommand(file));
    });

  program
    .command('validate')
    .description('check recipes, without asking any host')
    .argument('<recipe...>', 'files, or names of bundled recipes')
    .addOption(
      new Option('--format <format>', 'for people, for programs, or for annotations of GitHub')
        .choices(['text', 'json', 'github'] satisfies readonly ValidateFormat[])
        .default('text'),
    )
    .addHelpText(
      'after',
      examples('criu-flow validate recipes/*.yaml', 'criu-flow validate --format github recipes/*.yaml'),
    )
    .action(async (recipes: string[], options: { readonly format: ValidateFormat }) => {
      const { validateCommand } = await import('./commands/validate.ts');
      done(await validateCommand(recipes, options));
    });

  addLearning(program, done);
  addRecovery(program, done);
  addRuns(program, done);
  addLab(program, done);
  addCompletion(program, done);
  pointToHelp(program, 'criu-flow');
  return program;
}

/** Whoever makes a mistake is shown the way to the help of that very command. */
function pointToHelp(command: Command, path: string): void {
  command.showHelpAfterError(`(${path} --help says more)`);
  for (const child of command.commands) pointToHelp(child, `${path} ${child.name()}`);
}

interface InputOptions {
  readonly input?: readonly string[];
  readonly inputs?: readonly string[];
  readonly inventory?: string;
}

/** A recipe, and where its inputs are. */
function withInputs(command: Command): Command {
  return command
    .argument('<recipe>', 'a file, or a name such as process-rsync')
    .option(
      '-i, --input <name=value>',
      'an input of the recipe; once for each, or for each item of a list',
      collect,
    )
    .option('--inputs <file>', 'a YAML file of inputs; more than once, the last one counts', collect)
    .option('--inventory <file>', 'a YAML file of hosts, by whose names inputs take them');
}

function inputsOf({ input = [], inputs = [], inventory }: InputOptions): PlanInputs {
  return { inputs: input, inputFiles: inputs, inventory };
}

interface RunOptions extends InputOptions {
  readonly lab?: string;
  readonly sshConfig?: string;
  readonly reporter?: ReporterKind;
  readonly keepImages?: true;
  readonly check?: true;
  readonly from?: number;
}

function addRuns(program: Command, done: (exitCode: number) => void): void {
  const runs = program
    .command('runs')
    .description('list the runs of this user, newest first; show, follow or remove one')
    .option('--json', 'for programs')
    // `--json` after a subcommand is the subcommand's.
    .enablePositionalOptions()
    .helpCommand(false)
    .addHelpText('after', examples('criu-flow runs', "criu-flow runs --json | jq '.[0]'"))
    .action(async (options: { readonly json?: true }) => {
      const { runsCommand } = await import('./commands/runs.ts');
      done(runsCommand({ json: options.json === true }));
    });

  runs
    .command('show')
    .description('show what happened in a run, step by step')
    .argument('<run>', 'its id, a beginning or an end of it, or the path of its directory')
    .option('--json', 'for programs: every record of the journal')
    .addHelpText('after', examples('criu-flow runs show 20261123-142339-a1b2', 'criu-flow runs show a1b2'))
    .action(async (run: string, _: unknown, command: Command) => {
      const { showRunCommand } = await import('./commands/runs.ts');
      done(showRunCommand(run, { json: command.optsWithGlobals<{ json?: true }>().json === true }));
    });

  runs
    .command('tail')
    .description('show what happens in a run, until its end; ^C ends this, and not the run')
    .argument('<run>', 'its id, a beginning or an end of it, or the path of its directory')
    .addHelpText('after', examples('criu-flow runs tail a1b2'))
    .action(async (run: string) => {
      const { tailRunCommand } = await import('./commands/runs.ts');
      done(await tailRunCommand(run));
    });

  runs
    .command('prune')
    .description('remove the directories of runs that are over')
    .argument('[run...]', 'these, whatever their age: ids, or beginnings or ends of them')
    .option('--older-than <age>', 'those that ended that long ago: 90m, 12h, 30d (default: 30d)')
    .option('--force', 'also one that is named and has no end: it cannot be resumed or rolled back any more')
    .option('--dry-run', 'only say what would be removed')
    .addHelpText('after', examples('criu-flow runs prune --dry-run', 'criu-flow runs prune --older-than 7d'))
    .action(
      async (
        names: readonly string[],
        options: { readonly olderThan?: string; readonly force?: true; readonly dryRun?: true },
      ) => {
        const { pruneRunsCommand } = await import('./commands/runs.ts');
        const { olderThan, force = false, dryRun = false } = options;
        done(pruneRunsCommand({ names, olderThan, force, dryRun }));
      },
    );
}

/** What `lab up` is given. */
interface LabUpFlags {
  readonly hosts: readonly string[];
  readonly rate?: number;
  readonly driver: LabDriverName;
  readonly cpu?: readonly string[];
  readonly release?: readonly string[];
}

function addLab(program: Command, done: (exitCode: number) => void): void {
  const lab = program
    .command('lab')
    .description('disposable hosts on this machine, to try and rehearse recipes (needs root)')
    .helpCommand(false)
    .addHelpText('after', LAB_HELP);

  lab
    .command('up')
    .description('build a lab')
    .argument('[name]', 'its name', 'lab')
    .addOption(
      new Option('--hosts <names>', 'names separated by commas, or how many')
        .argParser(toHosts)
        .default(['a', 'b'], 'a,b'),
    )
    .option(
      '--rate <mbit>',
      'what each host can send and receive, in megabits per second (default: no limit)',
      toMegabits,
    )
    .addOption(
      new Option(
        '--driver <driver>',
        'namespaces of this kernel, or virtual machines with kernels of their own',
      )
        .choices(['namespace', 'vm'])
        .default('namespace'),
    )
    .option('--cpu <host=model>', "the CPU model of a virtual machine, QEMU's name of it", collect)
    .option('--release <host=debian>', 'the Debian release of a virtual machine: trixie or bookworm', collect)
    .addHelpText(
      'after',
      examples(
        'criu-flow lab up',
        'criu-flow lab up slow --hosts 3 --rate 100',
        'criu-flow lab up real --driver vm --cpu b=Nehalem --release b=bookworm',
      ),
    )
    .action(async (name: string, options: LabUpFlags) => {
      const { labUpCommand } = await import('./commands/lab.ts');
      const { hosts, rate, driver, cpu, release } = options;
      done(await labUpCommand({ name, hosts, rateMbitPerSecond: rate, driver, cpu, release }));
    });

  lab
    .command('kill')
    .description('end a host as a power cut does: what it had in memory is gone, its disk stays')
    .argument('<host>', 'its name')
    .option('--lab <name>', 'the lab', 'lab')
    .addHelpText('after', examples('criu-flow lab kill a'))
    .action(async (host: string, options: { readonly lab: string }) => {
      const { labKillCommand } = await import('./commands/lab.ts');
      done(await labKillCommand({ name: options.lab, host }));
    });

  lab
    .command('start')
    .description('start a host that is off, with the disk that it had')
    .argument('<host>', 'its name')
    .option('--lab <name>', 'the lab', 'lab')
    .addHelpText('after', examples('criu-flow lab start a'))
    .action(async (host: string, options: { readonly lab: string }) => {
      const { labStartCommand } = await import('./commands/lab.ts');
      done(await labStartCommand({ name: options.lab, host }));
    });

  lab
    .command('status')
    .description('show a lab, or all of this machine')
    .argument('[name]', 'its name')
    .option('--json', 'for programs')
    .addHelpText('after', examples('criu-flow lab status', "criu-flow lab status lab --json | jq '.hosts'"))
    .action(async (name: string | undefined, options: { readonly json?: true }) => {
      const { labStatusCommand } = await import('./commands/lab.ts');
      done(await labStatusCommand({ name, json: options.json === true }));
    });

  lab
    .command('exec')
    .description('run a command on a host of a lab')
    .option('--lab <name>', 'the lab', 'lab')
    .argument('<host>', 'its name')
    .argument('<argv...>', 'the program and its arguments, after --')
    .addHelpText(
      'after',
      examples(
        'criu-flow lab exec a -- ps ax',
        "criu-flow lab exec a -- sh -c 'setsid sleep 1000 < /dev/null > /dev/null 2>&1 & echo $!'",
      ),
    )
    .action(async (host: string, argv: readonly string[], options: { readonly lab: string }) => {
      const { labExecCommand } = await import('./commands/lab.ts');
      done(await labExecCommand({ name: options.lab, host, argv }));
    });

  lab
    .command('ssh')
    .description('open a shell on a host of a lab')
    .option('--lab <name>', 'the lab', 'lab')
    .argument('<host>', 'its name')
    .argument('[argv...]', 'a program and its arguments, after --')
    .addHelpText('after', examples('criu-flow lab ssh a', 'criu-flow lab ssh a -- top'))
    .action(async (host: string, argv: readonly string[], options: { readonly lab: string }) => {
      const { labSshCommand } = await import('./commands/lab.ts');
      done(await labSshCommand({ name: options.lab, host, argv }));
    });

  lab
    .command('down')
    .description('take a lab down, however far it came, and leave nothing of it')
    .argument('[name]', 'its name (default: "lab")')
    .option('--all', 'all labs of this machine')
    .addHelpText('after', examples('criu-flow lab down', 'criu-flow lab down --all'))
    .action(async (name: string | undefined, options: { readonly all?: true }) => {
      const { all = false } = options;
      if (all && name !== undefined) throw new FlowError('USAGE', `Name the lab ${name}, or --all labs`);
      const { labDownCommand } = await import('./commands/lab.ts');
      done(await labDownCommand({ name, all }));
    });
}

const ROOT_HELP = `
Try it without a second machine (as root):
  criu-flow lab up
  criu-flow lab exec a -- sh -c 'setsid sleep 1000 < /dev/null > /dev/null 2>&1 & echo $!'
  criu-flow run process-rsync --lab lab -i source=a -i destination=b -i pid=THAT_PID
  criu-flow lab down

Move a process between two hosts:
  criu-flow run process-rsync -i source=root@a -i destination=root@b -i pid=4711

Make a recipe of your own:
  criu-flow recipes copy process-rsync
  criu-flow explain
  criu-flow validate process-rsync.yaml

When a controller has died:
  criu-flow status RUN

Exit codes: 0 done, 2 usage, 3 recipe invalid, 4 refused, 5 rolled back, 6 a person is needed, 7 moved but missed
an objective, 8 locked by another run; docs/exit-codes.md has them all.`;

const RUN_HELP = `
Examples:
  criu-flow run process-rsync -i source=root@a -i destination=root@b -i pid=4711
  criu-flow run ./move-video.yaml -i source=root@a -i destination=root@b --reporter json > events.jsonl
  criu-flow run process-rsync --lab lab -i source=a -i destination=b -i pid=4711
  criu-flow run --check process-rsync -i source=root@a -i destination=root@b -i pid=4711
  criu-flow run evacuate -i source=root@a -i destination=root@b -i pids=4711 -i pids=4712 --from 2

^C rolls back: the process runs on where it was. After the commit the run goes on to its end instead.`;

const LAB_HELP = `
Examples:
  criu-flow lab up
  criu-flow lab exec a -- ps ax
  criu-flow run RECIPE --lab lab -i source=a -i destination=b
  criu-flow lab down`;

function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** `3` is a, b, c. */
function toHosts(text: string): readonly string[] {
  if (!/^\d+$/.test(text)) return text.split(',');
  const count = Number(text);
  if (count < 1 || count > 26) {
    throw new InvalidArgumentError('A number from 1 to 26; name more hosts one by one.');
  }
  return Array.from({ length: count }, (_, index) => String.fromCodePoint(97 + index));
}

function toNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('The number of a run, from 1.');
  return Number(text);
}

function toMegabits(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('A whole number of megabits per second.');
  return Number(text);
}

/** Prints what went wrong on standard error: a person's mistake without a stack, ours with it. */
async function printError(error: unknown): Promise<number> {
  const [{ RecipeError }, { formatDiagnostics }, { formatFailure }, { createPaint, wantsColor }] =
    await Promise.all([
      import('../recipe/recipe-error.ts'),
      import('../recipe/diagnostic.ts'),
      import('../report/failure.ts'),
      import('../report/format.ts'),
    ]);
  const failure = toFailureData(error);
  const color = wantsColor(process.env, process.stderr);
  const text =
    error instanceof RecipeError
      ? formatDiagnostics(error.diagnostics, { color })
      : formatFailure(failure, { paint: createPaint(color) });
  process.stderr.write(`${text}\n`);
  return exitCodeOfError(failure);
}
