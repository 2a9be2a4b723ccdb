import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFailed, TestRunner } from 'vitest';
import { runPlan } from '../../src/engine/run-plan.ts';
import type { FlowEvent, RunSummary } from '../../src/events/event.ts';
import { connectHost } from '../../src/host/connect.ts';
import type { CommandResult, Host } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import {
  labDown,
  labStartHost,
  labStatus,
  labUp,
  type Lab,
  type LabDriverName,
  type LabUpOptions,
} from '../../src/lab/lab.ts';
import { loadPlan } from '../../src/plan/load-plan.ts';

/** Why this machine cannot build a lab; the set-up of `npm test` says so. Undefined when it can. */
export const labSkipReason: string | undefined = process.env['CRIU_FLOW_LAB_MISSING'];

/** Why this machine cannot run virtual machines; the set-up of `npm run test:vm` says so. */
export const machinesSkipReason: string | undefined = process.env['CRIU_FLOW_MACHINES_MISSING'];

const examples = fileURLToPath(new URL('../../examples', import.meta.url));

/** What the client of examples/tcp-service knows. */
export interface ClientReport {
  readonly connected: boolean;
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly forgotten: number;
  readonly longestGapMs: number;
  readonly error: string | null;
}

const machine = new LocalHost();

/** Nothing of the environment of the tests reaches a host. */
const ENVIRONMENT = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'];

export interface MigrationLabOptions {
  readonly rateMbitPerSecond?: number;
  readonly driver?: LabDriverName;
  /** What differs from machine to machine, by their names. */
  readonly machines?: LabUpOptions['machines'];
}

/** Undefined for one that has ended. @see proc_pid_stat(5), starttime */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return 'ZX'.includes(state) ? undefined : fields[18];
  } catch {
    return undefined;
  }
}

/**
 * A lab of its own for one test file: the hosts `a` and `b`, and `c` for the client. Journals of runs go to a directory
 * of their own. When a test fails, it prints what a person needs.
 */
export class MigrationLab {
  readonly lab: Lab;
  /** Where this file's recipes and the journals of its runs are. */
  readonly directory: string;
  /** Process 1 of each host, as this machine numbers it, with its start time: another one is of a later boot. */
  readonly #inits = new Map<string, { readonly pid: number; readonly start: string | undefined }>();

  /** To machines, which have no other door; each of one boot. */
  readonly #connections = new Map<string, { readonly pid: number; readonly host: Host }>();

  #toldOf: unknown;

  private constructor(lab: Lab) {
    this.lab = lab;
    this.directory = mkdtempSync(join(tmpdir(), 'criu-flow-e2e-'));
    process.env['XDG_STATE_HOME'] = join(this.directory, 'state');
  }

  static async up(options: MigrationLabOptions = {}): Promise<MigrationLab> {
    const name = `test-${randomBytes(4).toString('hex')}`;
    const lab = await labUp({ name, hosts: ['a', 'b', 'c'], ...options });
    const migrationLab = new MigrationLab(lab);
    if (lab.sharedDirectory === undefined) await migrationLab.#bringExamples();
    else cpSync(examples, `${lab.sharedDirectory}/examples`, { recursive: true });
    return migrationLab;
  }

  /** To hosts that share no directory with this machine. */
  async #bringExamples(): Promise<void> {
    const { hosts, sshConfigFile } = this.lab;
    const bring =
      'tar -C "$1" -cf - . | ssh -F "$2" "$3" "mkdir -p /shared/examples; tar -C /shared/examples -xf -; sync"';
    for (const { name } of hosts) {
      const { exitCode, stderr } = await machine.run([
        'sh',
        '-c',
        bring,
        'sh',
        examples,
        sshConfigFile,
        name,
      ]);
      if (exitCode !== 0) throw new Error(`${name} gets no examples: ${stderr}`);
    }
  }

  /** A directory of this machine that every host sees as `/shared`. */
  get sharedDirectory(): string {
    const { sharedDirectory } = this.lab;
    if (sharedDirectory === undefined) throw new Error('this lab shares no directory');
    return sharedDirectory;
  }

  async down(): Promise<void> {
    for (const { host } of this.#connections.values()) await host.close();
    await labDown(this.lab.name);
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Process 1 of a host, as this machine numbers it. */
  async init(name: string): Promise<number> {
    const known = this.#inits.get(name);
    if (known?.start !== undefined && startOf(known.pid) === known.start) return known.pid;
    const { hosts } = await labStatus(this.lab.name);
    const pid = hosts.find((host) => host.name === name)?.pid;
    if (pid === undefined) throw new Error(`${name} is off`);
    this.#inits.set(name, { pid, start: startOf(pid) });
    return pid;
  }

  /** Runs a command on a host: past its network and ssh, which may be what a test breaks, where it is no machine. */
  async on(name: string, argv: readonly string[]): Promise<CommandResult> {
    if (this.lab.driver === 'vm') return (await this.#connection(name)).run([...ENVIRONMENT, ...argv]);
    const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid'];
    const enter = ['nsenter', '--target', String(await this.init(name)), ...namespaces];
    return machine.run([...enter, ...ENVIRONMENT, ...argv]);
  }

  async #connection(name: string): Promise<Host> {
    const pid = await this.init(name);
    const known = this.#connections.get(name);
    if (known?.pid === pid) return known.host;
    await known?.host.close();
    const controlDirectory = join(this.directory, `ssh-${name}-${pid}`);
    const host = await connectHost(name, { sshConfigFile: this.lab.sshConfigFile, controlDirectory });
    this.#connections.set(name, { pid, host });
    return host;
  }

  /** Runs a shell script that must succeed; its standard output. */
  async sh(name: string, script: string, ...args: readonly string[]): Promise<string> {
    const result = await this.on(name, ['sh', '-c', script, 'sh', ...args]);
    if (result.exitCode !== 0) {
      throw new Error(
        `on ${name}: exit code ${result.exitCode}: ${script}\n${result.stdout}${result.stderr}`,
      );
    }
    return result.stdout.trim();
  }

  /** The service address without its prefix length. */
  get address(): string {
    return this.lab.serviceAddress.split('/')[0] ?? '';
  }

  /** Starts examples/tcp-service on `a`, with a file open that does not move, and a client on `c`. @returns its pid */
  async startService({ memoryMiB = 0 }: { readonly memoryMiB?: number } = {}): Promise<number> {
    for (const name of ['a', 'b'])
      await this.sh(name, 'mkdir -p /srv/static; echo static > /srv/static/file');
    const pid = await this.sh(
      'a',
      `mkdir -p /srv/tcp
      ip address replace "$1" dev eth0
      exec 5< /srv/static/file
      setsid python3 /shared/examples/tcp-service/server.py "$2" 7000 /srv/tcp "$3" < /dev/null > /dev/null 2>&1 &
      until ss -Hltn sport = 7000 | grep -q . && [ -s /srv/tcp/pid ]; do sleep 0.05; done
      cat /srv/tcp/pid`,
      this.lab.serviceAddress,
      this.address,
      String(memoryMiB),
    );
    await this.startClient();
    return Number(pid);
  }

  /** Starts the client of examples/tcp-service on `c`, and waits until it has some answers. */
  async startClient(): Promise<void> {
    await this.sh(
      'c',
      `ip neigh flush dev eth0
      setsid python3 /shared/examples/tcp-service/client.py "$1" 7000 /run/report 10 < /dev/null > /dev/null 2>&1 &
      echo $! > /run/client.pid`,
      this.address,
    );
    await this.untilAnswered(10);
  }

  /** Starts examples/counter on `a`. @returns its pid */
  async startCounter({ memoryMiB = 0 }: { readonly memoryMiB?: number } = {}): Promise<number> {
    const pid = await this.sh(
      'a',
      `mkdir -p /srv/counter
      setsid python3 /shared/examples/counter/counter.py /srv/counter/numbers 5 "$1" < /dev/null > /dev/null 2>&1 &
      echo $!
      until [ -s /srv/counter/numbers ]; do sleep 0.05; done`,
      String(memoryMiB),
    );
    return Number(pid);
  }

  /**
   * Ends what the tests started, on all hosts, and removes its traces. A host that a test left off is started. When the
   * test has failed, it prints before that what a person needs.
   */
  async reset(): Promise<void> {
    await this.#tellOfFailure();
    const { hosts } = await labStatus(this.lab.name);
    for (const { name, pid } of hosts) {
      if (pid === undefined) await labStartHost(this.lab.name, name);
      await this.sh(
        name,
        `for file in /proc/[0-9]*/cmdline; do
          pid=\${file#/proc/} pid=\${pid%/cmdline}
          case $(tr '\\0' ' ' < "$file" 2> /dev/null) in
          'python3 /shared/examples/'* | 'sleep 4711'* | 'strace '*) kill -KILL "$pid" ;;
          esac
        done
        [ -z "$(ip -o address show to "\${1%/*}")" ] || ip address del "$1" dev eth0
        # What was killed left connections that the kernel would close for minutes.
        ss -K -n -t -a src "\${1%/*}" > /dev/null 2>&1
        rm -rf /srv/* /run/report /run/client.pid`,
        this.lab.serviceAddress,
      );
    }
  }

  /** Removes what a run that was given up has left, so that the next one begins on clean hosts. */
  async scrub(): Promise<void> {
    for (const name of ['a', 'b']) {
      await this.sh(
        name,
        `for file in /proc/[0-9]*/cmdline; do
          pid=\${file#/proc/} pid=\${pid%/cmdline}
          [ "$pid" != $$ ] || continue
          case $(tr '\\0' ' ' < "$file" 2> /dev/null) in
          'criu '* | '/bin/sh /var/lib/criu-flow/'* | 'sh -c '*' criu-flow /var/lib/criu-flow/'* | 'ssh -F /var/lib/'* | 'timeout '*' dd '* | '/bin/sh ' | 'rsync '*) kill -KILL "$pid" ;;
          sshd-session*) [ "$1" = vm ] || kill -KILL "$pid" ;;
          esac
        done
        nft flush ruleset
        rm -rf /var/lib/criu-flow
        sed -i '/criu-flow-/d' /root/.ssh/authorized_keys`,
        this.lab.driver,
      );
    }
  }

  /** Once for each test that has failed. */
  async #tellOfFailure(): Promise<void> {
    const test = TestRunner.getCurrentTest();
    if (test?.result?.state !== 'fail' || test === this.#toldOf) return;
    this.#toldOf = test;
    process.stderr.write(await this.diagnosis(join(this.directory, 'state')));
  }

  async clientReport(): Promise<ClientReport> {
    const report: ClientReport = JSON.parse(await this.sh('c', 'cat /run/report'));
    return report;
  }

  /**
   * Waits until the client has that many more answers; fails when it lost its connection or the time is over. After an outage
   * TCP tries again only when a time as long as the outage has passed, at most two minutes (RFC 6298, TCP_RTO_MAX).
   */
  async untilAnswered(more: number, timeoutMs = 130_000): Promise<ClientReport> {
    const deadlineMs = performance.now() + timeoutMs;
    let first: number | undefined;
    for (;;) {
      const text = await this.sh('c', 'cat /run/report 2> /dev/null || echo {}');
      const report: Partial<ClientReport> = JSON.parse(text);
      if (typeof report.error === 'string') throw new Error(`the client gave up: ${report.error}`);
      if (report.answered !== undefined) {
        first ??= report.answered;
        if (report.answered >= first + more) return this.clientReport();
      }
      if (performance.now() > deadlineMs)
        throw new Error(`the client got no ${more} answers in ${timeoutMs} ms: ${text}`);
      await sleep(50);
    }
  }

  /** Whether a process of that pid, start time and program runs on a host. */
  async processStart(name: string, pid: number): Promise<string> {
    return this.sh(
      name,
      `[ -r "/proc/$1/stat" ] || exit 0
      set -- $(sed 's/^.*) //' "/proc/$1/stat")
      case $1 in Z | X | T | t) exit 0 ;; esac
      echo "\${20}"`,
      String(pid),
    );
  }

  /**
   * Everything on a host that a run could leave behind: rules, addresses, mounts, connections of the service address
   * without the address, every directory and every file that is newer than the lab, processes. The workload's own
   * processes are not in it; nor is arping, which announces an address for three seconds, nor what criu remembers of the
   * kernel, nor what the library that sets a clock ahead leaves.
   */
  async traces(name: string): Promise<string> {
    // Of a machine neither what its kernel and systemd make anew at each boot, nor the connection that asks.
    const isMachine = this.lab.driver === 'vm' ? '1' : '';
    return this.sh(
      name,
      `nft list ruleset
      ip -o address | sed 's/ *[\\\\].*//; s/ tentative//'
      cut -d ' ' -f 1-3 /proc/mounts
      ip -o address | grep -q " $1/" || ss -H -O -n -t -a src "$1" | grep -v '^TIME-WAIT'
      find /var/lib/criu-flow -mindepth 1 -printf '%p %y %m\n' 2> /dev/null | sort
      find /root/.ssh -printf '%p %y %m\n' | sort
      sha256sum /root/.ssh/authorized_keys
      [ -z "$2" ] && volatile='/run /dev' || volatile=
      find / /tmp $volatile -xdev \\( -type d -o -cnewer /etc/hostname \\) |
        grep -v -x -e /root/.ssh/authorized_keys -e /run/criu.kdat -e '/var/lib/criu-flow/.*' -e '/dev/shm/.*faketime.*' | sort -u
      ps -e -o pid=,ppid=,args= -w -w | awk -v self=$$ -v machine="$2" '
        $1 == self || $2 == self { next }
        machine && ($1 == 2 || $2 == 2 || $3 ~ /^sshd-session/ || / env -i PATH=/) { next }
        { sub(/^ *[0-9]+ +[0-9]+ /, "") }
        /^(sshd: |python3 [/]shared[/]examples[/]|[[]?arping)/ { next }
        { print "process " $0 }' | sort`,
      this.address,
      isMachine,
    );
  }

  /** Waits until a host has the same traces as before (arping announces for some seconds); what it has at last. */
  async tracesSettled(name: string, before: string, timeoutMs = 10_000): Promise<string> {
    const deadlineMs = performance.now() + timeoutMs;
    let now = await this.traces(name);
    while (now !== before && performance.now() < deadlineMs) {
      await sleep(100);
      now = await this.traces(name);
    }
    return now;
  }

  /** Writes a recipe of these steps, one on each line, for the service or a process, and runs it. */
  async run(options: {
    readonly workload: string;
    readonly network?: string;
    readonly files?: readonly string[];
    readonly steps: string;
    readonly signal?: AbortSignal;
    readonly onEvent?: (event: FlowEvent) => void;
    readonly from?: string;
    readonly to?: string;
  }): Promise<RunSummary> {
    const file = this.writeRecipe(options);
    const plan = await loadPlan({ recipe: file, inputs: [], cwd: this.directory });
    onTestFailed(() => this.#tellOfFailure());
    return runPlan(plan, {
      emit: (event) => options.onEvent?.(event),
      signal: options.signal ?? new AbortController().signal,
      sshConfigFile: this.lab.sshConfigFile,
    });
  }

  /** @returns the recipe's file */
  writeRecipe(options: {
    readonly workload: string;
    readonly network?: string;
    readonly files?: readonly string[];
    readonly steps: string;
    readonly from?: string;
    readonly to?: string;
    /** Further keys of the recipe, as YAML. */
    readonly more?: string;
  }): string {
    const {
      workload,
      network = 'connections: refuse',
      files = [],
      steps,
      from = 'a',
      to = 'b',
      more = '',
    } = options;
    const lines = [
      'version: 1',
      'name: A test',
      `hosts: { source: ${from}, destination: ${to} }`,
      `workload: { process: { ${workload} } }`,
      `network: { ${network} }`,
      ...(files.length > 0 ? [`files: [${files.map((path) => `{ path: ${path} }`).join(', ')}]`] : []),
      'steps:',
      ...steps
        .trim()
        .split('\n')
        .map((line) => `  ${line.trim()}`),
      more,
    ];
    return this.writeText(`${lines.join('\n')}\n`);
  }

  /** @returns the recipe's file */
  writeText(text: string): string {
    const file = join(this.directory, `recipe-${randomBytes(4).toString('hex')}.yaml`);
    writeFileSync(file, text);
    return file;
  }

  /**
   * For a person who looks into a failure: the journals, criu's logs, and what each host looks like.
   * @param stateDirectory XDG_STATE_HOME of the runs
   */
  async diagnosis(stateDirectory: string): Promise<string> {
    const parts = [''];
    const runs = join(stateDirectory, 'criu-flow', 'runs');
    // A failed run may have been taken up by another one.
    for (const run of existsSync(runs) ? readdirSync(runs).toSorted().slice(-2) : []) {
      for (const file of readdirSync(join(runs, run)).filter((name) => /\.(log|jsonl)$/.test(name))) {
        parts.push(`== ${run}/${file}\n${readFileSync(join(runs, run, file), 'utf8').slice(-20_000)}`);
      }
    }
    for (const name of ['a', 'b', 'c']) {
      const result = await this.on(name, [
        'sh',
        '-c',
        'ps axo pid,ppid,stat,args; ip -br address; nft list ruleset; ss -O -n -t -a -p; ls -lR /var/lib/criu-flow /srv; tail -n 20 /var/lib/criu-flow/*/*/*.log',
      ]).catch((error: unknown) => ({ stdout: String(error), stderr: '' }));
      parts.push(`== host ${name}\n${result.stdout}${result.stderr}`);
    }
    return `${parts.join('\n')}\n`;
  }
}
