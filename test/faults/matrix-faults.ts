import { clockOff } from './clock-fault.ts';
import { controllerKilled } from './controller-faults.ts';
import { destinationDiskFull, imagesFlipped, imagesTruncated, runDirectoryFull } from './disk-faults.ts';
import type { Fault } from './fault.ts';
import {
  bothLinksCut,
  destinationLinkCut,
  sourceLinkCut,
  sshRefusedByDestination,
  sshRefusedBySource,
} from './network-faults.ts';
import { destinationHostKilled } from './power-faults.ts';
import {
  destinationCriuKilled,
  destinationHoldKilled,
  sourceCriuKilled,
  sourceHoldKilled,
} from './process-faults.ts';

export const MATRIX_FAULTS: readonly Fault[] = [
  controllerKilled,
  sourceLinkCut,
  destinationLinkCut,
  bothLinksCut,
  destinationHostKilled,
  sourceCriuKilled,
  destinationCriuKilled,
  sourceHoldKilled,
  destinationHoldKilled,
  destinationDiskFull,
  runDirectoryFull,
  imagesTruncated,
  imagesFlipped,
  sshRefusedBySource,
  sshRefusedByDestination,
  clockOff,
];
