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
 * @returns the milliseconds between two of them around the move
 */
export function gapOf(lab, { memoryMiB, content }, move) {
  for (const host of ['a', 'b'])
    on(lab, host, 'rm -rf /srv/counter /var/tmp/images && mkdir -p /srv/counter');
  const pid = on(
    lab,
    'a',
    `setsid python3 /shared/examples/counter/counter.py /srv/counter/numbers 2 "$1" "$2" < /dev/null > /dev/null 2>&1 &
    echo $!
    until [ "$(wc -l 2> /dev/null < /srv/counter/numbers)" -gt 100 ] 2> /dev/null; do sleep 0.05; done`,
    [String(memoryMiB), content],
  ).trim();
  move(lab, pid);
  on(
    lab,
    'b',
    'lines=$(wc -l < /srv/counter/numbers); until [ "$(wc -l < /srv/counter/numbers)" -gt $((lines + 20)) ]; do sleep 0.05; done',
  );
  const check = JSON.parse(on(lab, 'b', 'python3 /shared/examples/counter/check.py /srv/counter/numbers'));
  on(lab, 'b', 'kill "$1"; while [ -d "/proc/$1" ]; do sleep 0.02; done', [pid]);
  if (check.missing !== 0 || check.repeated !== 0)
    throw new Error(`numbers are missing: ${JSON.stringify(check)}`);
  return check.longestGapMs;
}

/** The script that people write: dump, rsync, restore. */
export function moveByScript(lab, pid) {
  on(lab, 'a', 'mkdir -p /var/tmp/images');
  on(lab, 'a', 'criu dump -t "$1" -D /var/tmp/images', [pid]);
  on(lab, 'a', 'rsync -aR /var/tmp/images /srv/counter "$1":/', [lab.hosts[1].address]);
  on(lab, 'b', 'criu restore -d -D /var/tmp/images');
}

/** criu-flow with the recipe of the benchmark, and that transfer and strategy in it. */
export function moveByCriuFlow(transfer, strategy = 'stop-and-copy') {
  const recipe = readFileSync(fileURLToPath(new URL('recipe.yaml', import.meta.url)), 'utf8').replace(
    'uses: dump',
    `{ uses: dump, with: { strategy: ${strategy} } }`,
  );
  return (lab, pid) => {
    const directory = mkdtempSync(join(tmpdir(), 'criu-flow-bench-'));
    try {
      const file = join(directory, 'recipe.yaml');
      writeFileSync(file, recipe.replace('transfer/rsync', transfer));
      const args = ['run', file, '--lab', lab.name, '--reporter', 'plain', '-i', `pid=${pid}`];
      const run = spawnSync(process.execPath, [cli, ...args], {
        encoding: 'utf8',
        env: { ...process.env, XDG_STATE_HOME: directory },
      });
      if (run.status !== 0) throw new Error(`criu-flow ended with ${run.status}\n${run.stdout}${run.stderr}`);
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
