import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { LabDriverName } from '../../src/lab/lab.ts';
import { settleIn } from '../faults/power-faults.ts';
import { type CliResult, runCli } from './cli.ts';
import { MigrationLab } from './migration-lab.ts';

const PAUSE = fileURLToPath(new URL('pause-at-line.mjs', import.meta.url));

export const MOVE_STEPS: string = stepsWith('transfer/rsync');

/** The steps of a move, with one way to carry the images. */
export function stepsWith(transfer: string): string {
  return `- uses: preflight\n- uses: dump\n- uses: ${transfer}\n- uses: restore`;
}

/** A service with its client, which each test of a file starts to move, on a lab of the file's own. */
export class MovingService {
  #lab: MigrationLab | undefined;
  #pid = 0;
  #traces: Readonly<Record<'a' | 'b', string>> = { a: '', b: '' };

  readonly #hasSharedData: boolean;
  readonly #steps: string;

  /**
   * To be called in a `describe`: the lab is there for all of its tests, and a new service for each.
   * @param options.hasSharedData its directory is on a file system that both hosts share, so that no file moves. @default false
   */
  constructor({
    steps = MOVE_STEPS,
    hasSharedData = false,
    driver = 'namespace',
  }: {
    readonly steps?: string;
    readonly hasSharedData?: boolean;
    readonly driver?: LabDriverName;
  } = {}) {
    this.#steps = steps;
    this.#hasSharedData = hasSharedData;
    beforeAll(async () => {
      this.#lab = await MigrationLab.up({ driver });
      if (driver === 'vm') for (const host of ['a', 'b'] as const) await settleIn(this.#lab, host);
    });
    afterAll(() => this.#lab?.down());
    beforeEach(async () => {
      if (hasSharedData) {
        const link = 'rm -rf /shared/tcp /srv/tcp; mkdir -p /shared/tcp && ln -s /shared/tcp /srv/tcp';
        for (const name of ['a', 'b']) await this.lab.sh(name, link);
      }
      this.#pid = await this.lab.startService({ memoryMiB: 16 });
      this.#traces = { a: await this.lab.traces('a'), b: await this.lab.traces('b') };
    });
    afterEach(() => this.lab.reset());
  }

  get lab(): MigrationLab {
    if (!this.#lab) throw new Error('no lab');
    return this.#lab;
  }

  get pid(): number {
    return this.#pid;
  }

  /** Where the runs' directories are. */
  get runsDirectory(): string {
    return join(this.lab.directory, 'state', 'criu-flow', 'runs');
  }

  /** Runs a command about the lab's hosts. */
  readonly cli = (...args: readonly string[]): Promise<CliResult> =>
    runCli([...args, '--lab', this.lab.lab.name]);

  readonly recipe = (steps: string = this.#steps, more = ''): string =>
    this.lab.writeRecipe({
      workload: 'pidFile: /srv/tcp/pid',
      network: `connections: keep, address: { cidr: ${this.lab.lab.serviceAddress} }`,
      files: this.#hasSharedData ? [] : ['/srv/tcp'],
      steps,
      more,
    });

  /** Starts to move the service; `onStdout` sees each piece of the report. */
  readonly run = (
    onStdout?: (text: string, kill: (signal: NodeJS.Signals) => void) => void,
    recipe: string = this.recipe(),
  ): Promise<CliResult> =>
    runCli(['run', recipe, '--lab', this.lab.lab.name, '--reporter', 'plain'], onStdout ? { onStdout } : {});

  /** Does something while neither host lets the other in by ssh, as if each was behind a wall of its own. */
  readonly apart = async <Value>(work: () => Promise<Value>): Promise<Value> => {
    const { lab } = this;
    const addressOf = async (name: string): Promise<string> =>
      (await lab.sh(name, "ip -4 -o addr show dev eth0 | awk '{ print $4; exit }'")).split('/')[0] ?? '';
    const addresses = { a: await addressOf('a'), b: await addressOf('b') };
    for (const [name, other] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const chain = 'add table inet apart; add chain inet apart in { type filter hook input priority 0; }';
      const rule = `add rule inet apart in ip saddr ${addresses[other]} tcp dport 22 reject with icmp admin-prohibited`;
      await lab.sh(name, `nft '${chain}; ${rule}'`);
    }
    try {
      const knock = `timeout 2 bash -c ': < /dev/tcp/${addresses.b}/22' 2> /dev/null || echo apart`;
      expect(await lab.sh('a', knock)).toBe('apart');
      return await work();
    } finally {
      for (const name of ['a', 'b']) await lab.sh(name, 'nft delete table inet apart');
    }
  };

  readonly newestRun = (): string => readdirSync(this.runsDirectory).toSorted().at(-1) ?? '';

  /** Starts to move the service, and kills the controller at a moment, before it does what comes next. @returns the run's id */
  readonly killedAt = async (moment: string, recipe: string = this.recipe()): Promise<string> => {
    const args = ['run', recipe, '--lab', this.lab.lab.name, '--reporter', 'plain'];
    const { exitCode, stdout } = await runCli(args, {
      env: { NODE_OPTIONS: `--import ${PAUSE}`, CRIU_FLOW_PAUSE_AT: moment },
      onStdout: (text, kill) => {
        if (text.includes(`${moment}\n`)) kill('SIGKILL');
      },
    });
    expect(exitCode, stdout).toBe(null);
    return this.newestRun();
  };

  /** One copy runs, on that host; the client has all its answers; the run has left nothing. */
  readonly expectCopyOn = async (host: 'a' | 'b'): Promise<void> => {
    const { lab } = this;
    expect(await lab.processStart(host, this.#pid)).not.toBe('');
    expect(await lab.processStart(host === 'a' ? 'b' : 'a', this.#pid)).toBe('');
    expect(await lab.untilAnswered(20)).toMatchObject({
      ...{ connected: true, lost: 0, duplicated: 0, forgotten: 0, error: null },
    });
    for (const name of ['a', 'b']) {
      const left =
        'find /var/lib/criu-flow 2> /dev/null; nft list ruleset; wc -l < /root/.ssh/authorized_keys';
      expect(await lab.sh(name, left), `left on ${name}`).toBe('1');
    }
  };

  /** The same; and of a service that is where it was, the hosts are as they were. */
  readonly expectOnly = async (host: 'a' | 'b'): Promise<void> => {
    const { lab } = this;
    await this.expectCopyOn(host);
    if (host === 'b') return;
    expect(await lab.tracesSettled('a', this.#traces.a)).toBe(this.#traces.a);
    expect(await lab.tracesSettled('b', this.#traces.b)).toBe(this.#traces.b);
  };
}
