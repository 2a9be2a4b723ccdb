// The downtime of a process moved by criu-flow against the three-line script that people write.
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { labDown, labUp } from '../../dist/lab/lab.js';
import { quoteArguments } from '../../dist/host/quote.js';
import { median, spread } from './statistics.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = `${root}/dist/bin/criu-flow.cjs`;

/**
 * The gap that the process itself sees, both ways in turn on the same lab.
 * @returns whether the ratio is within its limit
 */
export async function measureDowntime(rounds) {
  let isGood = true;
  const name = 'bench';
  const lab = await labUp({ name, hosts: ['a', 'b'] });
  try {
    cpSync(`${root}/examples`, `${lab.sharedDirectory}/examples`, { recursive: true });
    trustEachOther(lab);
    console.log(
      `\n| 64 MiB process, gap that it sees, median of ${rounds} | script | criu-flow | ratio |\n| --- | --- | --- | --- |`,
    );
    for (const content of ['records', 'random']) {
      const script = [];
      const flow = [];
      for (let round = 0; round < rounds; round++) {
        script.push(gapOf(lab, content, moveByScript));
        flow.push(gapOf(lab, content, moveByCriuFlow));
      }
      const ratio = median(flow) / median(script);
      if (content === 'records') isGood &&= ratio <= 0.5;
      console.log(
        `| memory of ${content} | ${spread(script)} | ${spread(flow)} | ${ratio.toFixed(2)}${content === 'records' ? ' (limit 0.50)' : ''} |`,
      );
    }
  } finally {
    await labDown(name);
  }
  return isGood;
}

/** Starts a counter on a, moves it to b, and lets its own numbers tell. */
function gapOf(lab, content, move) {
  for (const host of ['a', 'b'])
    on(lab, host, 'rm -rf /srv/counter /var/tmp/images && mkdir -p /srv/counter');
  const pid = on(
    lab,
    'a',
    `setsid python3 /shared/examples/counter/counter.py /srv/counter/numbers 2 64 "$1" < /dev/null > /dev/null 2>&1 &
    echo $!
    until [ "$(wc -l < /srv/counter/numbers 2> /dev/null)" -gt 100 ]; do sleep 0.05; done`,
    [content],
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
function moveByScript(lab, pid) {
  on(lab, 'a', 'mkdir -p /var/tmp/images');
  on(lab, 'a', 'criu dump -t "$1" -D /var/tmp/images', [pid]);
  on(lab, 'a', 'rsync -aR /var/tmp/images /srv/counter "$1":/', [lab.hosts[1].address]);
  on(lab, 'b', 'criu restore -d -D /var/tmp/images');
}

function moveByCriuFlow(lab, pid) {
  const recipe = fileURLToPath(new URL('recipe.yaml', import.meta.url));
  const run = spawnSync(
    process.execPath,
    [cli, 'run', recipe, '--lab', lab.name, '--reporter', 'plain', '-i', `pid=${pid}`],
    { encoding: 'utf8' },
  );
  if (run.status !== 0) throw new Error(`criu-flow ended with ${run.status}\n${run.stdout}${run.stderr}`);
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

function on(lab, host, script, args = []) {
  const command = quoteArguments(['sh', '-c', script, 'sh', ...args]);
  const result = spawnSync('ssh', ['-F', lab.sshConfigFile, '--', host, command], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`on ${host}: ${script}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}
