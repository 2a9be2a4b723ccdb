import { FlowError } from '../errors/flow-error.ts';
import type { CommandResult, Host, RunOptions } from '../host/host.ts';
import type { CommandSpec } from '../plan/plan.ts';
import { resolveCommand, type ResolvedCommand } from '../plan/resolve.ts';
import type { StepContext, StepType } from './step.ts';

/** Characters of what a command prints that a result keeps: it is in the journal, and a template reads all of it. */
const MAX_REGISTERED = 65_536;

/** Run one program on one of the hosts; any exit code but 0, or those that the step names, fails the run. */
export const command: StepType = {
  timeoutMs: 60_000,
  main: {
    async run(context, step) {
      if (step.uses !== 'command') throw new Error(`command: got ${step.uses}`);
      const { register, exitCodes = [0] } = step;
      const result = await execute(context, step, { signal: context.signal });
      const isGood = exitCodes.includes(result.exitCode);
      if (register !== undefined) context.register(register, toResult(context, step, result, isGood));
      if (!isGood) throw failed(context, step, result);
      return result.exitCode === 0 ? undefined : `exit code ${result.exitCode}`;
    },
  },
};

/** Where commands run, and the values that they are given. */
type CommandPlace = Pick<StepContext, 'source' | 'destination' | 'local' | 'values'>;

export function hostOf(
  context: Pick<CommandPlace, 'source' | 'destination' | 'local'>,
  on: CommandSpec['on'],
): Host {
  switch (on) {
    case 'source':
      return context.source;
    case 'destination':
      return context.destination;
    case 'local':
      return context.local;
  }
}

/**
 * @param options with the exit codes that are good; only 0 when left out
 * @throws FlowError COMMAND_FAILED with the end of what the command said.
 */
export async function runCommand(
  context: CommandPlace,
  spec: CommandSpec,
  options: Pick<RunOptions, 'signal' | 'timeoutMs'> & {
    readonly exitCodes?: readonly number[] | undefined;
  } = {},
): Promise<CommandResult> {
  const { exitCodes = [0], ...limits } = options;
  const result = await execute(context, spec, limits);
  if (!exitCodes.includes(result.exitCode)) throw failed(context, spec, result);
  return result;
}

async function execute(
  context: CommandPlace,
  spec: CommandSpec,
  options: Pick<RunOptions, 'signal' | 'timeoutMs'>,
): Promise<CommandResult> {
  const { argv, stdin } = withEnvironment(resolveCommand(spec, context.values()));
  return hostOf(context, spec.on).run(argv, { timeoutMs: 24 * 3_600_000, ...options, stdin });
}

/**
 * Variables travel before the standard input, since other users of a host can read an argv: `NAME=value`, further lines of
 * a value behind a space, and an empty line at the end. The shell's `read` takes no more from a pipe than it needs
 * (POSIX, read: "shall not read past the newline"), so the program finds its own input.
 */
function withEnvironment({ argv, env, stdin }: ResolvedCommand): {
  readonly argv: readonly string[];
  readonly stdin: string;
} {
  const variables = Object.entries(env);
  if (variables.length === 0) return { argv, stdin };
  const lines = variables.map(([name, value]) => `${name}=${value}`.split('\n').join('\n '));
  return { argv: ['sh', '-c', READ_ENVIRONMENT, 'sh', ...argv], stdin: `${lines.join('\n')}\n\n${stdin}` };
}

const READ_ENVIRONMENT = `criu_flow_v=
while IFS= read -r criu_flow_l && [ -n "$criu_flow_l" ]; do
  case $criu_flow_l in
  ' '*) criu_flow_v="$criu_flow_v
\${criu_flow_l# }" ;;
  *)
    [ -z "$criu_flow_v" ] || export "$criu_flow_v"
    criu_flow_v=$criu_flow_l
    ;;
  esac
done
[ -z "$criu_flow_v" ] || export "$criu_flow_v"
unset criu_flow_v criu_flow_l
exec "$@"`;

function toResult(
  context: CommandPlace,
  spec: CommandSpec,
  { exitCode, stdout, stderr }: CommandResult,
  isGood: boolean,
): Parameters<StepContext['register']>[1] {
  if (stdout.length > MAX_REGISTERED || stderr.length > MAX_REGISTERED) {
    const { name } = hostOf(context, spec.on);
    throw new FlowError('COMMAND_FAILED', `${spec.argv[0]} on ${name} printed more than 64 KiB to register`, {
      host: name,
      hint: 'Let it print what later steps need, and no more.',
    });
  }
  const status = isGood ? 'done' : 'failed';
  return { stdout: stdout.replace(/\n+$/, ''), stderr: stderr.replace(/\n+$/, ''), exitCode, status };
}

function failed(
  context: CommandPlace,
  spec: CommandSpec,
  { exitCode, stdout, stderr }: CommandResult,
): FlowError {
  const { name } = hostOf(context, spec.on);
  return new FlowError('COMMAND_FAILED', `${spec.argv[0]} on ${name} ended with exit code ${exitCode}`, {
    host: name,
    evidence: lastLines(`${stdout.trim()}\n${stderr.trim()}`) || 'it said nothing',
  });
}

/** Enough for the reason: many programs say it first, and then that they have failed. */
const EVIDENCE_LINES = 10;

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-EVIDENCE_LINES).join('\n');
}
