import { FlowError } from '../../errors/flow-error.ts';
import { runInteractive } from '../../host/interactive.ts';
import { quoteArguments } from '../../host/quote.ts';
import { type MachineOptions, machineReleases } from '../../lab/driver.ts';
import {
  labDown,
  labKillHost,
  labStartHost,
  labStatus,
  labUp,
  listLabs,
  type Lab,
  type LabDriverName,
} from '../../lab/lab.ts';

/** `criu-flow lab up`. @returns the exit code */
export async function labUpCommand(options: {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly rateMbitPerSecond?: number | undefined;
  readonly driver: LabDriverName;
  /** `HOST=MODEL` */
  readonly cpu?: readonly string[] | undefined;
  /** `HOST=RELEASE` */
  readonly release?: readonly string[] | undefined;
}): Promise<number> {
  const { cpu = [], release = [], ...rest } = options;
  const machines: Record<string, MachineOptions> = {};
  for (const [host, model] of cpu.map((each) => pairOf('--cpu', each))) {
    machines[host] = { ...machines[host], cpu: model };
  }
  for (const [host, name] of release.map((each) => pairOf('--release', each))) {
    const known = machineReleases.find((each) => each === name);
    if (!known) {
      throw new FlowError('USAGE', `There are no machines of Debian ${JSON.stringify(name)}`, {
        hint: `There are ${machineReleases.join(', ')}.`,
      });
    }
    machines[host] = { ...machines[host], release: known };
  }
  const lab = await labUp({ ...rest, machines, onProgress: (text) => process.stderr.write(`${text}\n`) });
  process.stdout.write(`${describe(lab)}\n`);
  return 0;
}

/** @throws FlowError USAGE */
function pairOf(option: string, text: string): readonly [host: string, value: string] {
  const at = text.indexOf('=');
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
  throw new FlowError('USAGE', `${option} ${text}: write HOST=VALUE`, { command: `criu-flow lab up --help` });
}

/** `criu-flow lab kill`. @returns the exit code */
export async function labKillCommand({ name, host }: HostOfLab): Promise<number> {
  await labKillHost(name, host);
  process.stdout.write(`${host} is off\n`);
  return 0;
}

/** `criu-flow lab start`. @returns the exit code */
export async function labStartCommand({ name, host }: HostOfLab): Promise<number> {
  await labStartHost(name, host);
  process.stdout.write(`${host} is on\n`);
  return 0;
}

interface HostOfLab {
  readonly name: string;
  readonly host: string;
}

/** `criu-flow lab status`: one lab, or all of this machine. @returns the exit code */
export async function labStatusCommand(options: {
  readonly name?: string | undefined;
  readonly json: boolean;
}): Promise<number> {
  const labs = options.name === undefined ? await finishedLabs() : [await labStatus(options.name)];
  if (options.json) {
    const value = options.name === undefined ? labs : labs[0];
    process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
    return 0;
  }
  process.stdout.write(labs.length === 0 ? 'no labs\n' : `${labs.map(describe).join('\n\n')}\n`);
  return 0;
}

/** All labs of this machine. One that was never finished is worth a line, and not the end. */
async function finishedLabs(): Promise<readonly Lab[]> {
  const labs = await Promise.all(
    (await listLabs()).map((name) =>
      labStatus(name).catch((error: unknown) => {
        if (!(error instanceof FlowError)) throw error;
        process.stderr.write(`${error.message}: ${error.command ?? ''}\n`);
        return [];
      }),
    ),
  );
  return labs.flat();
}

/** `criu-flow lab exec`: a command on a host. @returns the command's exit code, 255 when ssh itself failed */
export async function labExecCommand(options: {
  readonly name: string;
  readonly host: string;
  readonly argv: readonly string[];
}): Promise<number> {
  const { name, host, argv } = options;
  return runInteractive(['ssh', '-F', await configFile(name, host), '--', host, quoteArguments(argv)]);
}

/** `criu-flow lab ssh`: a shell on a host, or a command with a terminal. @returns ssh's exit code */
export async function labSshCommand(options: {
  readonly name: string;
  readonly host: string;
  readonly argv: readonly string[];
}): Promise<number> {
  const { name, host, argv } = options;
  const command = argv.length === 0 ? [] : [quoteArguments(argv)];
  return runInteractive(['ssh', '-F', await configFile(name, host), '-t', '--', host, ...command]);
}

/** `criu-flow lab down`: one lab, or all of this machine. @returns the exit code */
export async function labDownCommand(options: {
  readonly name?: string | undefined;
  readonly all: boolean;
}): Promise<number> {
  const names = options.all ? await listLabs() : [options.name ?? 'lab'];
  for (const name of names) {
    await labDown(name);
    process.stdout.write(`lab ${name} is down\n`);
  }
  if (names.length === 0) process.stdout.write('no labs\n');
  return 0;
}

/** @throws FlowError LAB_NOT_FOUND, USAGE when the lab has no such host */
async function configFile(name: string, host: string): Promise<string> {
  const { hosts, sshConfigFile } = await labStatus(name);
  if (hosts.some((each) => each.name === host)) return sshConfigFile;
  throw new FlowError('USAGE', `The lab ${name} has no host ${JSON.stringify(host)}`, {
    hint: `It has ${hosts.map((each) => each.name).join(', ')}.`,
  });
}

function describe(lab: Lab): string {
  const width = Math.max(...lab.hosts.map(({ name }) => name.length));
  const what = lab.driver === 'vm' ? 'QEMU' : 'process 1';
  const hosts = lab.hosts.map(
    ({ name, address, pid }) =>
      `  ${name.padEnd(width)}  ${address}  ${pid === undefined ? 'off' : `on (${what} is ${pid} here)`}`,
  );
  const first = lab.hosts[0]?.name ?? 'a';
  const option = lab.name === 'lab' ? '' : ` --lab ${lab.name}`;
  return [
    `lab ${lab.name}`,
    ...hosts,
    `  service address  ${lab.serviceAddress} on ${lab.device}, free for a service that moves`,
    ...(lab.sharedDirectory === undefined
      ? [`  what it says     ${lab.directory}/hosts/*/console.log`]
      : [`  shared           ${lab.sharedDirectory} is /shared on every host`]),
    `  a shell          criu-flow lab ssh${option} ${first}`,
    `  any ssh tool     ssh -F ${lab.sshConfigFile} ${first}`,
    `  a run            criu-flow run RECIPE --lab ${lab.name}`,
    `  take it down     criu-flow lab down ${lab.name}`,
  ].join('\n');
}
