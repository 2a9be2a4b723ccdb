import type { Phase } from '../../src/events/event.ts';
import type { MigrationLab } from '../helpers/migration-lab.ts';
import type { Controller, StartedController } from './controller.ts';

/** The hosts between which the service moves. */
export type Side = 'a' | 'b';

/** What a fault can reach. */
export interface Scene {
  readonly lab: MigrationLab;
  readonly from: Side;
  readonly to: Side;
  /** Of the workload. */
  readonly pid: number;
  readonly controller: Controller;
  readonly run: StartedController;
  /** A number from 0 to 1. */
  readonly random: () => number;
}

/** What came of an attempt to break something. */
export interface Injected {
  /** Why there was nothing to break. */
  readonly missed?: string;
  /** A host lost its power while the workload ran on it: no tool can bring that back as it was. */
  readonly tookWorkload?: boolean;
  /** The same, before there were images of it: nothing can bring it back. */
  readonly isLost?: boolean;
}

export const HIT: Injected = {};

/** One thing that goes wrong. */
export interface Fault {
  readonly title: string;
  /** In which there can be something to break. @default all */
  readonly phases?: readonly Exclude<Phase, 'keep'>[];
  /** It changes what the memory's digests would show. @default false */
  readonly breaksImages?: true;
  /** Done before the run begins. */
  readonly before?: (scene: Omit<Scene, 'run'>) => Promise<void>;
  readonly inject: (scene: Scene) => Promise<Injected>;
  /** Nothing is asked of a run that was over. */
  readonly notAtEnd?: string;
  /** What a person would put right before asking for the state of things. */
  readonly heal?: (scene: Omit<Scene, 'run'>) => Promise<void>;
  /** Puts right what `before` did, when the run has been brought to its end. */
  readonly after?: (scene: Omit<Scene, 'run'>) => Promise<void>;
}
