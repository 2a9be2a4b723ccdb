import type { LabDriver } from '../driver.ts';
import { requireForLab } from '../requirements.ts';
import { machine } from '../tools.ts';
import { startNamespaceHost } from './namespace-host.ts';
import { ensureRootFileSystem } from './root-file-system.ts';

/** Hosts that are namespaces of this machine's kernel over one Debian root file system: quick, and good for timings. */
export const namespaceDriver: LabDriver = {
  require: () => requireForLab({ unshare: 'util-linux', nsenter: 'util-linux' }, probeKernel),
  build: async (_, onProgress) => {
    await ensureRootFileSystem(onProgress);
  },
  start: async (host) => startNamespaceHost(host, await ensureRootFileSystem()),
};

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

async function probeKernel(): Promise<readonly string[]> {
  const probe = await machine.run([
    ...['unshare', '--mount', '--net', '--uts', '--pid', '--ipc', '--fork', '--kill-child'],
    ...['sh', '-c', kernelProbe],
  ]);
  if (probe.exitCode !== 0 && probe.stdout === '') {
    return [`namespaces for mounts, network, processes, IPC and host name (${probe.stderr.trim()})`];
  }
  return probe.stdout.split('\n').filter((line) => line !== '');
}
