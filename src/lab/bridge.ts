import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { FlowError } from '../errors/flow-error.ts';
import { labDirectory, labsDirectory } from './paths.ts';
import { machine, mustRun } from './tools.ts';

/** One symbolic link for each network in use, to the name of its lab: making a link is atomic, and it names its owner. */
const claimsDirectory = `${labsDirectory}/.networks`;

/** The device name of a lab's bridge: 15 characters at most (IFNAMSIZ), so made from a digest of the lab's name. */
export function bridgeName(lab: string): string {
  return `cf${createHash('sha256').update(lab).digest('hex').slice(0, 8)}`;
}

/** The device name of this machine's end of a host's link, from the host's number in the lab. */
export function linkName(lab: string, index: number): string {
  return `${bridgeName(lab)}-${index}`;
}

/** The MAC address of a host: it keeps it when it starts again, as a network card does, so neighbours find it at once. */
export function macAddress(lab: string, index: number): string {
  const digest = createHash('sha256').update(`${lab}-${index}`).digest();
  // Locally administered, unicast (IEEE 802).
  return ['02', ...[...digest.subarray(0, 5)].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

/**
 * Takes a /24 of 198.18.0.0/15 that no other lab has. That range is for benchmarks (RFC 2544), so no private
 * network of the user is in it.
 * @returns its first three numbers, for example `198.18.3`
 */
export async function claimNetwork(lab: string): Promise<string> {
  await mkdir(claimsDirectory, { recursive: true, mode: 0o700 });
  for (let third = 0; third < 512; third++) {
    const network = `198.${18 + Math.floor(third / 256)}.${third % 256}`;
    const claim = `${claimsDirectory}/${network}`;
    const owner = await readlink(claim).catch(() => undefined);
    // A lab that crashed before it had a record is taken down without its claim.
    if (owner !== undefined && !existsSync(labDirectory(owner))) await rm(claim, { force: true });
    const claimed = await symlink(lab, claim).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
        return false;
      },
    );
    if (claimed) return network;
  }
  throw new FlowError('LAB_FAILED', 'All 512 networks for labs are in use');
}

/** Gives back whatever network the lab has. */
export async function releaseNetwork(lab: string): Promise<void> {
  for (const network of await readdir(claimsDirectory).catch(() => [])) {
    const claim = `${claimsDirectory}/${network}`;
    if ((await readlink(claim).catch(() => undefined)) === lab) await rm(claim, { force: true });
  }
}

/** Adds the lab's bridge, with this machine's own address on it. */
export async function addBridge(lab: string, cidr: string): Promise<void> {
  const bridge = bridgeName(lab);
  await mustRun('Adding the network bridge of the lab', ['ip', 'link', 'add', bridge, 'type', 'bridge']);
  await mustRun('Giving the bridge an address', ['ip', 'address', 'add', cidr, 'dev', bridge]);
  await mustRun('Switching the bridge on', ['ip', 'link', 'set', bridge, 'up']);
}

/** Takes a host's link down: a host that loses its power does not say goodbye to its peers. */
export async function cutLink(lab: string, index: number): Promise<void> {
  await machine.run(['ip', 'link', 'set', linkName(lab, index), 'down']);
}

/** Removes a host's link, if it is still there. */
export async function removeLink(lab: string, index: number): Promise<void> {
  await machine.run(['ip', 'link', 'delete', linkName(lab, index)]);
}

/**
 * Removes the bridge and the links of the hosts, as far as they exist. The links go by name: a TCP socket that lingers
 * keeps a network namespace, and with it a link, after every process is gone.
 */
export async function removeBridge(lab: string): Promise<void> {
  const bridge = bridgeName(lab);
  const listed = await machine.run(['ip', '-json', 'link', 'show']);
  const links: readonly { readonly ifname: string }[] = JSON.parse(listed.stdout || '[]');
  const names = links.map(({ ifname }) => ifname).filter((name) => name.startsWith(`${bridge}-`));
  for (const name of [...names, bridge]) {
    if (!existsSync(`/sys/class/net/${name}`)) continue;
    const removed = await machine.run(['ip', 'link', 'delete', name]);
    // A link can vanish by itself, with the namespace of its other end.
    if (removed.exitCode !== 0 && existsSync(`/sys/class/net/${name}`)) {
      throw new FlowError('LAB_FAILED', `The network device ${name} cannot be removed`, {
        host: 'local',
        evidence: removed.stderr.trim(),
      });
    }
  }
}
