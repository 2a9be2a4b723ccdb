import type { Host } from '../host/host.ts';
import {
  allowedFindings,
  bandwidthLimitOf,
  goesStraight,
  isPostCopied,
  isPreCopied,
  type Plan,
  strategiesOf,
} from '../plan/plan.ts';
import { type FoundWorkload, lookUpWorkload } from '../checkpoint/look-up.ts';
import { checkpointFindings, revertFindings } from './checkpoint.ts';
import { clockFindings, readClock } from './clock.ts';
import { compatibilityFindings } from './compatible.ts';
import { destinationFindings } from './destination.ts';
import { type Finding, NEVER_ALLOWED, worstFirst } from './finding.ts';
import { hostFindings, roundsFindings } from './host.ts';
import { lazyFindings } from './lazy-pages.ts';
import { workloadFindings } from './workload.ts';

/** What is found of the hosts and the workload. */
export interface Look extends FoundWorkload {
  /** What would make the run fail, the worst first. */
  readonly findings: readonly Finding[];
  /** The same of what the recipe goes past. */
  readonly allowed: readonly Finding[];
}

/** What one look finds, in no order. */
interface Found extends FoundWorkload {
  readonly findings: readonly Finding[];
}

/** What is looked at, and who hears what is looked at right now. */
interface Sight {
  readonly plan: Plan;
  readonly source: Host;
  readonly destination: Host;
}

/** What criu needs on each host, and what it is watched and fenced with. */
const TOOLS = ['criu', 'nft', 'sha256sum'];
/** The same where files are copied straight from host to host, or on one. */
const COPYING_TOOLS = [...TOOLS, 'rsync', 'tar'];

/**
 * Looks at the hosts and at the workload. Changes nothing; finds everything at once.
 * @param detail takes what is looked at right now
 * @throws FlowError as {@link lookUpWorkload} does, and when a host cannot be asked
 */
export async function lookAround(
  sight: Sight,
  detail: (text: string) => void = () => undefined,
): Promise<Look> {
  const found = await LOOKS[sight.plan.kind](sight, detail);
  const inOrder = worstFirst(found.findings);
  const codes = allowedFindings(sight.plan);
  const isAllowed = ({ code }: Finding): boolean => codes.includes(code) && !NEVER_ALLOWED.has(code);
  return {
    ...found,
    findings: inOrder.filter((finding) => !isAllowed(finding)),
    allowed: inOrder.filter(isAllowed),
  };
}

const LOOKS: Readonly<
  Record<Plan['kind'], (sight: Sight, detail: (text: string) => void) => Promise<Found>>
> = { move: lookBeforeMove, checkpoint: lookBeforeCheckpoint, restore: lookBeforeRestore };

async function lookBeforeMove(
  { plan, source, destination }: Sight,
  detail: (text: string) => void,
): Promise<Found> {
  if (plan.workload.kind === 'revert') return lookBeforeRevert({ plan, source, destination }, detail);
  const tools = addressTools(plan);
  const isDirect = goesStraight(plan);
  detail('look at both hosts');
  const isLazy = isPostCopied(plan);
  const mayBeLazy = strategiesOf(plan).includes('post-copy');
  const [there, here, onSource, tracking, lazy, onDestination, compatible, found] = await Promise.all([
    readClock(source),
    readClock(destination),
    hostFindings(source, [
      ...(isDirect ? [...COPYING_TOOLS, 'ssh', 'ssh-keygen'] : TOOLS),
      ...(plan.strategy === 'auto' || (isDirect && bandwidthLimitOf(plan) !== undefined) ? ['perl'] : []),
      ...['ss', ...tools],
    ]),
    isPreCopied(plan) ? roundsFindings(source, isLazy) : [],
    isLazy ? lazyFindings(source, destination) : [],
    hostFindings(destination, [
      ...(isDirect ? COPYING_TOOLS : TOOLS),
      ...(mayBeLazy ? ['perl'] : []),
      ...tools,
    ]),
    // Where it comes from it has run before.
    plan.isBack ? [] : compatibilityFindings(source, destination),
    lookUpWorkload({ source, destination }, plan.workload),
  ]);
  detail('compare with the destination');
  const findings = [
    ...onSource,
    ...tracking,
    ...lazy,
    ...onDestination,
    ...(plan.isBack ? [] : clockFindings(destination, here, { name: source.name, ahead: there })),
    ...compatible,
    ...workloadFindings(found.workload, source, plan.network),
    ...(await destinationFindings(destination, found.workload, plan, source)),
  ];
  return { ...found, findings };
}

/** What network addresses need that move with a workload. */
function addressTools({ network }: Plan): readonly string[] {
  return network.address ? ['ip', 'arping'] : [];
}

async function lookBeforeRevert(
  { plan, source, destination }: Sight,
  detail: (text: string) => void,
): Promise<Found> {
  detail('look at both hosts and the images');
  const [onSource, onDestination, found] = await Promise.all([
    hostFindings(source, ['nft', ...addressTools(plan)]),
    hostFindings(destination, [...COPYING_TOOLS, ...addressTools(plan)]),
    lookUpWorkload({ source, destination }, plan.workload),
  ]);
  const findings = [
    ...onSource,
    ...onDestination,
    ...(await revertFindings({ source, destination }, found, plan)),
  ];
  return { ...found, findings };
}

async function lookBeforeCheckpoint(
  { plan, source, destination }: Sight,
  detail: (text: string) => void,
): Promise<Found> {
  detail('look at the host and the workload');
  const [onSource, found] = await Promise.all([
    hostFindings(source, [...COPYING_TOOLS, 'ss']),
    lookUpWorkload({ source, destination }, plan.workload),
  ]);
  const findings = [...onSource, ...workloadFindings(found.workload, source, plan.network)];
  return { ...found, findings };
}

async function lookBeforeRestore(
  { plan, source, destination }: Sight,
  detail: (text: string) => void,
): Promise<Found> {
  detail('look at the host and the checkpoint');
  const [onDestination, found] = await Promise.all([
    hostFindings(destination, COPYING_TOOLS),
    lookUpWorkload({ source, destination }, plan.workload),
  ]);
  const findings = [...onDestination, ...(await checkpointFindings(destination, found, plan))];
  return { ...found, findings };
}
