import { clockOff } from './clock-fault.ts';
import {
  controllerFrozen,
  controllerKilled,
  controllerTakenOver,
  controllerTerminated,
} from './controller-faults.ts';
import {
  destinationDiskFull,
  imagesFlipped,
  imagesTruncated,
  runDirectoryFull,
  sourceDiskFull,
} from './disk-faults.ts';
import { type Fault, HIT } from './fault.ts';
import {
  bothLinksCut,
  destinationLinkCut,
  sourceLinkCut,
  sshRefusedByDestination,
  sshRefusedBySource,
} from './network-faults.ts';
import { destinationHostKilled, sourceHostKilled } from './power-faults.ts';
import {
  destinationCriuKilled,
  destinationHoldKilled,
  processPaused,
  sourceCriuKilled,
  sourceHoldKilled,
  sshConnectionsKilled,
} from './process-faults.ts';

/** Whatever came before, this migration must not suffer from it. */
export const nothing: Fault = { title: 'nothing', inject: async () => HIT };

export const SOAK_FAULTS: readonly Fault[] = [
  nothing,
  controllerKilled,
  controllerTerminated,
  controllerFrozen,
  controllerTakenOver,
  sourceLinkCut,
  destinationLinkCut,
  bothLinksCut,
  sourceHostKilled,
  destinationHostKilled,
  sourceCriuKilled,
  destinationCriuKilled,
  sourceHoldKilled,
  destinationHoldKilled,
  processPaused,
  sshConnectionsKilled,
  sshRefusedBySource,
  sshRefusedByDestination,
  sourceDiskFull,
  destinationDiskFull,
  runDirectoryFull,
  imagesTruncated,
  imagesFlipped,
  clockOff,
];
