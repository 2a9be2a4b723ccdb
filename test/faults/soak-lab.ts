import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Phase } from '../../src/events/event.ts';
import { MigrationLab } from '../helpers/migration-lab.ts';
import { copies, leftBehind, lookAtService, settledTraces, type Traces } from './aftermath.ts';
import { steps } from './boundaries.ts';
import type { Choice } from './choices.ts';
import { Controller, type StartedController } from './controller.ts';
import type { Injected, Scene, Side } from './fault.ts';
import { follow, NOTHING_LEFT } from './follow.ts';
import { limitRate, sayAgainEachSecond } from './network-faults.ts';
import { settleIn } from './power-faults.ts';

/** What became of one migration. */
export interface Migration {
  /** Undefined when the fault found nothing to break. */
  readonly phase: Phase | undefined;
  /** For the table: where the service runs, and who brought it there. */
  readonly ended: string;
  /** What had to bring the run to its end and was killed in its middle, `rollback` or `resume`. */
  readonly killed: readonly string[];
  /** Empty when all is as it must be. */
  readonly violations: readonly string[];
  readonly durationMs: number;
}

/** A lab whose service moves back and forth. */
export class SoakLab {
  readonly lab: MigrationLab;
  readonly controller: Controller;
  #pid = 0;
  #on: Side = 'a';
  #traces: Traces = { a: '', b: '' };

  private constructor(lab: MigrationLab) {
    this.lab = lab;
    this.controller = new Controller(lab);
  }

  static async up(): Promise<SoakLab> {
    return new SoakLab(await MigrationLab.up());
  }

  async begin(): Promise<void> {
    for (const host of ['a', 'b'] as const) await settleIn(this.lab, host);
    await sayAgainEachSecond(this.lab, 'c');
    await this.#startService();
  }

  async down(): Promise<void> {
    this.controller.close();
    await this.lab.down();
  }

  /** Where the service is, for a person. */
  get from(): Side {
    return this.#on;
  }

  /** For a person who looks into a violation. */
  async diagnosis(): Promise<string> {
    return `${this.controller.story.join('\n')}\n${await this.lab.diagnosis(this.controller.stateDirectory)}`;
  }

  async migrate(choice: Choice): Promise<Migration> {
    const beganAtMs = performance.now();
    const { fault, ratesMbitPerSecond, random, secondFaults } = choice;
    const from = this.#on;
    const to: Side = from === 'a' ? 'b' : 'a';
    const scene = { lab: this.lab, controller: this.controller, pid: this.#pid, from, to, random };
    this.controller.clear();
    await fault.before?.(scene);
    for (const host of ['a', 'b'] as const) await limitRate(this.lab, host, ratesMbitPerSecond[host]);
    const { first, phase, isLost, isLate } = await this.#run(choice, scene);
    for (const host of ['a', 'b'] as const) await limitRate(this.lab, host);
    const followed =
      first.exitCode === 0 ? NOTHING_LEFT : await follow(this.controller, first.stdout, secondFaults);
    await fault.after?.(scene);
    const by =
      followed.commands.length > 0
        ? `, by ${[...new Set(followed.commands)].join(', ')}`
        : ` (${first.exitCode ?? 'killed'})`;
    const violations = [
      ...(isLate ? ['the run came to no end'] : []),
      ...followed.violations,
      ...(await (isLost ? this.#lookAfterLoss() : this.#look())),
    ];
    const end = isLost ? 'host lost with its workload' : this.#on === from ? 'stayed' : 'moved';
    return {
      phase,
      ended: `${end}${by}`,
      killed: followed.killed,
      violations,
      durationMs: performance.now() - beganAtMs,
    };
  }

  /** The run with its fault, until it has ended and what was broken is put right. */
  async #run(
    { fault, transfer, phase: aim, delayMs, healAfterMs }: Choice,
    scene: Omit<Scene, 'run'>,
  ): Promise<{
    readonly first: Awaited<StartedController['ended']>;
    readonly phase: Phase | undefined;
    readonly isLost: boolean;
    readonly isLate: boolean;
  }> {
    let reach = (): void => undefined;
    const isReached = new Promise<void>((resolve) => (reach = resolve));
    const run = this.controller.start(
      ['run', this.#recipe(scene.from, scene.to, transfer), '--reporter', 'plain'],
      {
        onLine: (line) => (line.endsWith(` phase ${aim}`) ? reach() : undefined),
      },
    );
    await Promise.race([isReached, run.ended]);
    await sleep(delayMs);
    const atMs = Date.now();
    let injected: Injected = { missed: 'the run is over' };
    if (!run.isOver()) {
      injected = await fault.inject({ ...scene, run });
      // What lasts must have met a run that was still at it.
      if (fault.heal && run.isOver()) injected = { ...injected, missed: 'the run is over' };
      await Promise.race([run.ended, ...(healAfterMs === undefined ? [] : [sleep(healAfterMs)])]);
      await fault.heal?.(scene);
    }
    const first = await run.ended;
    this.controller.story.unshift(
      `$ criu-flow run\n${first.stdout}${first.stderr}exit code ${first.exitCode}`,
      `${fault.title}: ${injected.missed ?? 'hit'}`,
    );
    const phase = injected.missed === undefined ? this.#phaseAt(atMs) : undefined;
    return { first, phase, isLost: injected.tookWorkload === true, isLate: run.isLate() };
  }

  #recipe(from: Side, to: Side, transfer: Choice['transfer']): string {
    const { lab } = this;
    return lab.writeRecipe({
      workload: 'pidFile: /srv/tcp/pid',
      network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
      files: ['/srv/tcp'],
      steps: steps(lab.address, transfer),
      from,
      to,
    });
  }

  /** In which phase the run was then, says its journal. */
  #phaseAt(atMs: number): Phase | undefined {
    const run = this.controller.newestRun() ?? '';
    const file = join(this.controller.stateDirectory, 'criu-flow', 'runs', run, 'journal.jsonl');
    const events: { readonly kind: string; readonly at: string; readonly phase?: Phase }[] = readFileSync(
      file,
      'utf8',
    )
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
    return events.findLast(({ kind, at }) => kind === 'phase-started' && Date.parse(at) <= atMs)?.phase;
  }

  /** One copy runs, with its client and without a hole in what it wrote; nothing else is left anywhere. */
  async #look(): Promise<readonly string[]> {
    const [host, ...others] = await copies(this.lab);
    if (host === undefined || others.length > 0)
      return [`${host === undefined ? 0 : others.length + 1} copies`];
    const hasMoved = host !== this.#on;
    this.#on = host;
    const violations = [
      ...(await lookAtService(this.lab, host)),
      ...(await leftBehind(this.lab, this.controller, this.#traces, hasMoved)),
    ];
    this.#traces = { a: await this.lab.traces('a'), b: await this.lab.traces('b') };
    return violations;
  }

  /**
   * A host that loses its power takes what runs on it along. What is brought back from older images is not the same
   * service, so a new one is started; but there is one copy at most all the same, and nothing else is left.
   */
  async #lookAfterLoss(): Promise<readonly string[]> {
    const on = await copies(this.lab);
    const violations = [
      ...(on.length > 1 ? [`${on.length} copies`] : []),
      ...(await leftBehind(this.lab, this.controller, this.#traces, true)),
    ];
    if (violations.length > 0) return violations;
    await this.lab.reset();
    await this.#startService();
    return [];
  }

  async #startService(): Promise<void> {
    this.#pid = await this.lab.startService({ memoryMiB: 8 });
    this.#on = 'a';
    this.#traces = await settledTraces(this.lab);
  }
}
