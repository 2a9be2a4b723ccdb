import { execFileSync, spawnSync } from 'node:child_process';
import { labKillHost, labStartHost, labStatus } from '../../src/lab/lab.ts';
import { linkName } from '../../src/lab/bridge.ts';
import type { MigrationLab } from '../helpers/migration-lab.ts';

/** What a fault can reach. */
export interface Scene {
  readonly lab: MigrationLab;
  /** Where the controller keeps its run directories: a file system of its own. */
  readonly stateDirectory: string;
  readonly controllerPid: number;
}

/** One thing that goes wrong, at a boundary at which the controller is stopped. */
export interface Fault {
  readonly title: string;
  /** Done before the run begins. */
  readonly before?: (scene: Omit<Scene, 'controllerPid'>) => Promise<void>;
  /** @returns why there is nothing to break at this boundary, or undefined when it was done */
  readonly inject: (scene: Scene) => Promise<string | undefined>;
  /** Nothing is asked of a run that was over. */
  readonly notAtEnd?: string;
  /** What a person would put right before asking for the state of things. */
  readonly heal?: (scene: Scene) => Promise<void>;
  /** The controller does not go on. */
  readonly endsController?: boolean;
}

const HOSTS = ['a', 'b', 'c'] as const;
export type HostName = (typeof HOSTS)[number];

/** Runs a script on a host without ssh, which may be what is broken. @returns its standard output */
async function inside(lab: MigrationLab, host: HostName, script: string): Promise<string> {
  const { hosts } = await labStatus(lab.lab.name);
  const init = hosts.find(({ name }) => name === host)?.initPid;
  if (init === undefined) throw new Error(`${host} is off`);
  const argv = ['--target', String(init), '--mount', '--uts', '--ipc', '--net', '--pid', 'sh', '-c', script];
  const { status, stdout, stderr } = spawnSync('nsenter', argv, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`on ${host}: exit code ${status}: ${script}\n${stdout}${stderr}`);
  return stdout.trim();
}

/** Takes a host's network cable out, or puts it in. */
export function link(lab: MigrationLab, host: HostName, state: 'up' | 'down'): void {
  execFileSync('ip', ['link', 'set', linkName(lab.lab.name, HOSTS.indexOf(host) + 1), state]);
}

function linkCut(title: string, hosts: readonly HostName[]): Fault {
  return {
    title,
    async inject({ lab }) {
      for (const host of hosts) link(lab, host, 'down');
      return undefined;
    },
    async heal({ lab }) {
      for (const host of hosts) link(lab, host, 'up');
    },
  };
}

/** The hosts number their processes far from each other, however many cells they have seen: a PID that moves is free. */
export async function spreadPids(lab: MigrationLab): Promise<void> {
  await inside(lab, 'a', 'echo 100000 > /proc/sys/kernel/ns_last_pid');
  await inside(lab, 'b', 'echo 500000 > /proc/sys/kernel/ns_last_pid');
}

/** Ends the processes of a host whose command lines match a pattern of sh. @returns how many */
export async function killProcesses(lab: MigrationLab, host: HostName, pattern: string): Promise<number> {
  const count = await inside(
    lab,
    host,
    `count=0
    for file in /proc/[0-9]*/cmdline; do
      pid=\${file#/proc/} pid=\${pid%/cmdline}
      case $(tr '\\0' ' ' < "$file" 2> /dev/null) in ${pattern}) kill -KILL "$pid" && count=$((count + 1)) ;; esac
    done
    echo "$count"`,
  );
  return Number(count);
}

/** Command lines, as patterns of sh. */
export const PROCESSES = {
  dump: '"criu dump "*',
  restore: '"criu restore "*',
  dumpHold: '"/bin/sh /var/lib/criu-flow/"*/dump/hold" "*',
  restoreHold: '"/bin/sh /var/lib/criu-flow/"*/restore/hold" "*',
  ssh: 'sshd-session*',
} as const;

function killed(title: string, host: HostName, pattern: string): Fault {
  return {
    title,
    async inject({ lab }) {
      return (await killProcesses(lab, host, pattern)) === 0 ? 'it does not run then' : undefined;
    },
  };
}

const IMAGES = '/var/lib/criu-flow/*/images';

function imagesBroken(title: string, script: string): Fault {
  return {
    title,
    async inject({ lab }) {
      const found = await inside(
        lab,
        'b',
        `for file in ${IMAGES}/pages-1.img; do [ -s "$file" ] && ls ${IMAGES}/inventory.img > /dev/null 2>&1 || { echo none; exit 0; }; ${script}; done`,
      );
      return found === 'none' ? 'no images are there then' : undefined;
    },
  };
}

const FILL =
  'dd if=/dev/zero of="$1/fill" bs=64k 2> /dev/null; dd if=/dev/zero of="$1/fill2" bs=1 count=70000 2> /dev/null; :';

const SSHD = '/usr/sbin/sshd -E /var/log/sshd.log';

function sshRefused(title: string, host: HostName): Fault {
  return {
    title,
    async inject({ lab }) {
      await inside(
        lab,
        host,
        `kill "$(cat /run/sshd.pid)"
        for file in /proc/[0-9]*/cmdline; do
          pid=\${file#/proc/} pid=\${pid%/cmdline}
          case $(tr '\\0' ' ' < "$file" 2> /dev/null) in sshd*) kill -KILL "$pid" ;; esac
        done; :`,
      );
      await lab.forget(host);
      return undefined;
    },
    async heal({ lab }) {
      await inside(
        lab,
        host,
        `rm -f /run/sshd.pid; ${SSHD}; until [ -s /run/sshd.pid ]; do sleep 0.01; done`,
      );
    },
  };
}

/** Preloaded into what ssh starts on the destination: its wall clock, and nobody else's, is an hour ahead. */
const FAKE_TIME_LIBRARY = '/shared/libfaketime.so.1';

export const FAULTS: readonly Fault[] = [
  { title: 'controller SIGKILL', endsController: true, inject: async () => undefined },
  linkCut('source link cut', ['a']),
  linkCut('destination link cut', ['b']),
  linkCut('both links cut', ['a', 'b']),
  {
    title: 'destination host killed',
    notAtEnd: 'the run is over',
    async inject({ lab }) {
      await labKillHost(lab.lab.name, 'b');
      await lab.forget('b');
      return undefined;
    },
    async heal({ lab }) {
      await labStartHost(lab.lab.name, 'b');
    },
  },
  killed('source criu killed', 'a', PROCESSES.dump),
  killed('destination criu killed', 'b', PROCESSES.restore),
  killed('source hold script killed', 'a', PROCESSES.dumpHold),
  killed('destination hold script killed', 'b', PROCESSES.restoreHold),
  {
    title: 'disk full on the destination',
    async before({ lab }) {
      await inside(
        lab,
        'b',
        'mkdir -p /var/lib/criu-flow; mount -t tmpfs -o size=64m,mode=0700 tmpfs /var/lib/criu-flow',
      );
    },
    async inject({ lab }) {
      await inside(lab, 'b', `set -- /var/lib/criu-flow; ${FILL}`);
      return undefined;
    },
    async heal({ lab }) {
      await inside(lab, 'b', 'rm -f /var/lib/criu-flow/fill /var/lib/criu-flow/fill2');
    },
  },
  {
    title: 'disk full in the run directory',
    async inject({ stateDirectory }) {
      execFileSync('sh', ['-c', FILL, 'sh', stateDirectory]);
      return undefined;
    },
    async heal({ stateDirectory }) {
      execFileSync('rm', ['-f', `${stateDirectory}/fill`, `${stateDirectory}/fill2`]);
    },
  },
  imagesBroken('images truncated', 'truncate -s -1 "$file"'),
  imagesBroken(
    'images with one bit flipped',
    `python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(5000); b = f.read(1)[0]; f.seek(5000); f.write(bytes([b ^ 1]))' "$file"`,
  ),
  sshRefused('ssh refused by the source', 'a'),
  sshRefused('ssh refused by the destination', 'b'),
  {
    title: 'destination clock 1 h off, controller SIGKILL',
    endsController: true,
    async before({ lab }) {
      await inside(
        lab,
        'b',
        `kill "$(cat /run/sshd.pid)"; rm -f /run/sshd.pid
        ${SSHD} -o 'SetEnv=LD_PRELOAD=${FAKE_TIME_LIBRARY} FAKETIME=+3600s FAKETIME_DONT_FAKE_MONOTONIC=1'
        until [ -s /run/sshd.pid ]; do sleep 0.01; done`,
      );
      await lab.forget('b');
      const ahead = Number(await lab.sh('b', 'date +%s')) - Date.now() / 1000;
      if (Math.abs(ahead - 3600) > 60) throw new Error(`the clock of b is ${ahead} s ahead`);
    },
    inject: async () => undefined,
    async heal() {
      // It stays so for the take-up; afterwards() puts it right.
    },
  },
];

/** Puts right what a fault's `before` did. */
export async function afterwards({ lab }: Pick<Scene, 'lab'>): Promise<void> {
  await inside(
    lab,
    'b',
    `umount /var/lib/criu-flow 2> /dev/null
    if [ "$(tr '\\0' '\\n' < "/proc/$(cat /run/sshd.pid)/cmdline" | grep -c SetEnv)" != 0 ]; then
      kill "$(cat /run/sshd.pid)"; rm -f /run/sshd.pid
      ${SSHD}; until [ -s /run/sshd.pid ]; do sleep 0.01; done
    fi; :`,
  );
  // Sessions whose other end went while the link was cut, and what they wait for, end only when TCP has noticed.
  for (const host of ['a', 'b'] as const) {
    await lab.forget(host);
    await killProcesses(lab, host, `${PROCESSES.ssh} | "/bin/sh " | "rsync --server"*`);
  }
}
