// The process that the benchmarks move, which sees the gap itself, and the ways to move it.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { labDown, labUp } from '../../dist/lab/lab.js';
import { quoteArguments } from '../../dist/host/quote.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = `${root}/dist/bin/criu-flow.cjs`;

/** Does something on a lab of its own, whose hosts trust each other as those of the script must. */
export async function onLab(options, work) {
  const lab = await labUp({ hosts: ['a', 'b'], ...options });
  try {
    cpSync(`${root}/examples`, `${lab.sharedDirectory}/examples`, { recursive: true });
    trustEachOther(lab);
    return await work(lab);
  } finally {
    await labDown(options.name);
  }
}

/**
 * Starts a counter on a, moves it to b, and lets its own numbers tell.
 * @returns the milliseconds between two of them around the move, and what the move has returned
 */
export function moveCounter(lab, counter, move) {
  for (const host of ['a', 'b'])
    on(lab, host, 'rm -rf /srv/counter /var/tmp/images && mkdir -p /srv/counter');
  const { pid, moved } = untilMoved(lab, counter, move);
  on(
    lab,
    'b',
    'lines=$(wc -l < /srv/counter/numbers); until [ "$(wc -l < /srv/counter/numbers)" -gt $((lines + 20)) ]; do sleep 0.05; done',
  );
  const check = JSON.parse(on(lab, 'b', 'python3 /shared/examples/counter/check.py /srv/counter/numbers'));
  endCounter(lab, 'b', pid);
  if (check.missing !== 0 || check.repeated !== 0)
    throw new Error(`numbers are missing: ${JSON.stringify(check)}`);
  return { gapMs: check.longestGapMs, moved };
}

/** After thousands of commands the host may give the counter a pid that the other one has: then another counter is taken. */
function untilMoved(lab, counter, move) {
  for (let tries = 0; tries < 10; tries++) {
    const pid = startCounter(lab, 'a', counter);
    const moved = move(lab, pid);
    if (moved !== IS_TAKEN) return { pid, moved };
    endCounter(lab, 'a', pid);
  }
  throw new Error('each counter had a pid that the other host has');
}

/** What a move returns that was refused for that. */
export const IS_TAKEN = Symbol('the pid is taken');

/**
 * Starts a counter, and waits until it has been counting for a while.
 * @param counter.writtenMiBPerSecond of its memory
 * @returns its process id
 */
export function startCounter(lab, host, { memoryMiB, content, writtenMiBPerSecond = 0 }) {
  return on(
    lab,
    host,
    `rm -rf /srv/counter && mkdir -p /srv/counter
    setsid python3 /shared/examples/counter/counter.py /srv/counter/numbers 2 "$@" < /dev/null > /dev/null 2>&1 &
    echo $!
    until [ "$(wc -l 2> /dev/null < /srv/counter/numbers)" -gt 100 ] 2> /dev/null; do sleep 0.05; done`,
    [memoryMiB, content, writtenMiBPerSecond].map(String),
  ).trim();
}

export function endCounter(lab, host, pid) {
  on(lab, host, 'kill "$1"; while [ -d "/proc/$1" ]; do sleep 0.02; done', [pid]);
}

/** The script that people write: dump, rsync, restore. */
export function moveByScript(lab, pid) {
  on(lab, 'a', 'mkdir -p /var/tmp/images');
  on(lab, 'a', 'criu dump -t "$1" -D /var/tmp/images', [pid]);
  on(lab, 'a', 'rsync -aR /var/tmp/images /srv/counter "$1":/', [lab.hosts[1].address]);
  on(lab, 'b', 'criu restore -d -D /var/tmp/images');
}

/**
 * criu-flow with the recipe of the benchmark, and that transfer and strategy in it.
 * @param strategy as `with` of the dump has it
 * @returns a move, which returns the summary of the run
 */
export function moveByCriuFlow(transfer, strategy = { strategy: 'stop-and-copy' }) {
  const recipe = readFileSync(fileURLToPath(new URL('recipe.yaml', import.meta.url)), 'utf8')
    .replace('uses: dump', `{ uses: dump, with: ${JSON.stringify(strategy)} }`)
    .replace('transfer/rsync', transfer);
  return (lab, pid) => {
    const directory = mkdtempSync(join(tmpdir(), 'criu-flow-bench-'));
    try {
      const file = join(directory, 'recipe.yaml');
      writeFileSync(file, recipe);
      const args = ['run', file, '--lab', lab.name, '--reporter', 'json', '-i', `pid=${pid}`];
      const run = spawnSync(process.execPath, [cli, ...args], {
        encoding: 'utf8',
        env: { ...process.env, XDG_STATE_HOME: directory },
        maxBuffer: 1024 ** 3,
      });
      if (run.status === 4 && /PID \d+ of the workload is taken/.test(run.stdout)) return IS_TAKEN;
      if (run.status !== 0) throw new Error(`criu-flow ended with ${run.status}\n${run.stdout}${run.stderr}`);
      return JSON.parse(run.stdout.trim().split('\n').at(-1)).summary;
    } finally {
      rmSync(directory, { recursive: true });
    }
  };
}

/** The script needs a key from a to b; criu-flow makes one for each run. */
function trustEachOther(lab) {
  const key = on(
    lab,
    'a',
    'ssh-keygen -q -t ed25519 -N "" -f /root/.ssh/id_ed25519 && cat /root/.ssh/id_ed25519.pub',
  );
  on(lab, 'b', 'printf "%s" "$1" >> /root/.ssh/authorized_keys', [key]);
  on(lab, 'a', 'printf "%s %s\\n" "$1" "$2" > /root/.ssh/known_hosts', [
    lab.hosts[1].address,
    on(lab, 'b', 'cut -d" " -f1,2 /etc/ssh/ssh_host_ed25519_key.pub').trim(),
  ]);
}

export function on(lab, host, script, args = []) {
  const command = quoteArguments(['sh', '-c', script, 'sh', ...args]);
  const result = spawnSync('ssh', ['-F', lab.sshConfigFile, '--', host, command], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`on ${host}: ${script}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}
