import { FlowError } from '../errors/flow-error.ts';
import { machine } from './tools.ts';

/** A program that a lab needs, and the Debian package that brings it. */
interface Requirement {
  readonly program: string;
  readonly debianPackage: string;
}

const programs: readonly Requirement[] = [
  { program: 'ip', debianPackage: 'iproute2' },
  { program: 'tc', debianPackage: 'iproute2' },
  { program: 'mmdebstrap', debianPackage: 'mmdebstrap' },
  { program: 'ssh', debianPackage: 'openssh-client' },
  { program: 'ssh-keygen', debianPackage: 'openssh-client' },
  { program: 'unshare', debianPackage: 'util-linux' },
  { program: 'nsenter', debianPackage: 'util-linux' },
];

/**
 * Tries each kernel feature in namespaces of its own, so that nothing is left behind, and prints what is missing.
 */
const kernelProbe = `
ip link add probe0 type bridge || echo 'network bridges (CONFIG_BRIDGE)'
ip link add probe1 type veth peer name probe2 || echo 'virtual Ethernet pairs (CONFIG_VETH)'
tc qdisc add dev lo root tbf rate 1mbit burst 32kb latency 400ms || echo 'the token bucket filter (CONFIG_NET_SCH_TBF)'
mount -t tmpfs tmpfs /tmp && mkdir /tmp/lower /tmp/upper /tmp/work /tmp/merged &&
  mount -t overlay overlay -o lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work /tmp/merged ||
  echo 'overlay file systems (CONFIG_OVERLAY_FS)'
`;

/** Names every reason why this machine cannot build a lab. Empty when it can. Changes nothing. */
async function missingLabRequirements(): Promise<readonly string[]> {
  if (process.platform !== 'linux') return [`Linux (this is ${process.platform})`];
  if (process.getuid?.() !== 0) return ['root (namespaces, mounts and network devices need it)'];
  const found = await Promise.all(
    programs.map(async ({ program }) => {
      const result = await machine.run(['sh', '-c', 'command -v "$1"', 'sh', program]);
      return result.exitCode === 0;
    }),
  );
  const missing = programs.filter((_, index) => found[index] !== true);
  if (missing.length > 0) {
    return missing.map(({ program, debianPackage }) => `${program} (Debian package ${debianPackage})`);
  }
  const probe = await machine.run([
    ...['unshare', '--mount', '--net', '--uts', '--pid', '--ipc', '--fork', '--kill-child'],
    ...['sh', '-c', kernelProbe],
  ]);
  if (probe.exitCode !== 0 && probe.stdout === '') {
    return [`namespaces for mounts, network, processes, IPC and host name (${probe.stderr.trim()})`];
  }
  return probe.stdout.split('\n').filter((line) => line !== '');
}

/**
 * Refuses on a machine that cannot build a lab.
 * @throws FlowError LAB_REQUIREMENT_MISSING that names all that is missing
 */
export async function requireLab(): Promise<void> {
  const missing = await missingLabRequirements();
  if (missing.length === 0) return;
  const packages = new Set(
    programs
      .filter(({ program }) => missing.some((line) => line.startsWith(`${program} (Debian`)))
      .map(({ debianPackage }) => debianPackage),
  );
  throw new FlowError(
    'LAB_REQUIREMENT_MISSING',
    `This machine cannot build a lab, it lacks ${missing.join('; ')}`,
    {
      host: 'local',
      hint: 'What needs no lab still works: `criu-flow validate`, and `criu-flow run` between real hosts.',
      ...(packages.size > 0 ? { command: `apt-get install ${[...packages].join(' ')}` } : {}),
    },
  );
}
