// Shows the whole thing on a lab: a service with a connected client moves from one host to another.
import { spawn } from 'node:child_process';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setUp } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const labMissing = await setUp();
if (labMissing !== undefined) {
  console.error(`The demo needs a lab. ${labMissing}`);
  process.exit(1);
}
const { labDown, labUp, listLabs } = await import('../dist/lab/lab.js');
const { LocalHost } = await import('../dist/host/local.js');

const name = 'demo';
const machine = new LocalHost();
let lab;
let code = 1;
// ^C reaches the run, which rolls back; the lab goes down in any case.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
try {
  if ((await listLabs()).includes(name)) {
    console.log('lab: taking down what an earlier demo left');
    await labDown(name);
  }
  lab = await labUp({ name, hosts: ['a', 'b', 'client'], onProgress: (text) => console.log(`lab: ${text}`) });
  code = await demonstrate();
} catch (error) {
  if (error?.name !== 'FlowError') throw error;
  console.error([error.message, error.evidence, error.hint, error.command].filter(Boolean).join('\n  '));
} finally {
  if (lab) {
    await labDown(name);
    console.log('lab: down, nothing is left');
  }
}
process.exit(code);

async function demonstrate() {
  const address = lab.serviceAddress.split('/')[0];
  cpSync(`${root}/examples`, `${lab.sharedDirectory}/examples`, { recursive: true });
  await on(
    'a',
    `mkdir -p /srv/demo && ip address add "$1" dev eth0
    setsid python3 /shared/examples/tcp-service/server.py "$2" 7000 /srv/demo 64 < /dev/null > /dev/null 2>&1 &
    until ss -Hltn sport = 7000 | grep -q . && [ -s /srv/demo/pid ]; do sleep 0.05; done`,
    [lab.serviceAddress, address],
  );
  console.log(`a: serves on ${address} port 7000, with 64 MiB of memory and a file that it has open`);
  await on(
    'client',
    'setsid python3 /shared/examples/tcp-service/client.py "$1" 7000 /run/report 10 < /dev/null > /dev/null 2>&1 &',
    [address],
  );
  const before = await untilAnswered(50);
  console.log(`client: is connected, ${before.answered} answers so far, one every 10 ms`);

  const argv = [
    ...['run', 'tcp-service-rsync', '--lab', name, '-i', 'source=a', '-i', 'destination=b'],
    ...['-i', 'pidFile=/srv/demo/pid', '-i', `address=${lab.serviceAddress}`, '-i', 'port=7000'],
    ...['-i', 'files=/srv/demo'],
  ];
  console.log(`\n$ criu-flow ${argv.join(' ')}\n`);
  const exitCode = await new Promise((resolve) => {
    spawn(process.execPath, ['dist/bin/criu-flow.cjs', ...argv], { cwd: root, stdio: 'inherit' }).on(
      'close',
      resolve,
    );
  });
  if (exitCode !== 0) return exitCode;

  const after = await untilAnswered(50);
  const summary = lastSummary();
  const kept = after.error === null ? 'connection kept' : `connection lost: ${after.error}`;
  console.log(
    [
      '',
      'What happened:',
      `  moved     ${summary.workload.command} (pid ${summary.workload.pid}), from a to b`,
      `            ${(summary.imageBytes / 2 ** 20).toFixed(1)} MiB of images, while it was frozen`,
      `  downtime  at most ${Math.ceil(summary.downtimeMs)} ms for the process, from its freeze to its release`,
      `            ${Math.ceil(after.longestGapMs)} ms was the client's longest wait for an answer (its kernel sends again`,
      '            after 0.2, 0.6, 1.4 s)',
      `  client    ${after.sent} requests, ${after.answered} answers: ${after.lost} lost, ${after.duplicated} duplicated, ${kept}`,
      '',
      'Look around by yourself, as long as you like:',
      '  npx criu-flow lab up            two hosts, a and b',
      '  npx criu-flow lab ssh a         a shell on one of them',
      '  npx criu-flow lab exec b -- criu check',
      '  npx criu-flow lab status        addresses, the directory that they share, ssh_config',
      '  npx criu-flow lab down',
      '',
    ].join('\n'),
  );
  return after.lost === 0 && after.duplicated === 0 && after.error === null ? 0 : 1;
}

/** How the run of a moment ago ended, from its journal. Run ids sort by time. */
function lastSummary() {
  const runs = join(process.env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'criu-flow', 'runs');
  const journal = readFileSync(join(runs, readdirSync(runs).toSorted().at(-1), 'journal.jsonl'), 'utf8');
  return JSON.parse(journal.trimEnd().split('\n').at(-1)).summary;
}

/** Runs a script on a host of the lab, which must succeed. */
async function on(host, script, args = []) {
  const { quoteArguments } = await import('../dist/host/quote.js');
  const command = quoteArguments(['sh', '-c', script, 'sh', ...args]);
  const result = await machine.run(['ssh', '-F', lab.sshConfigFile, '--', host, command]);
  if (result.exitCode !== 0)
    throw new Error(`on ${host}: ${result.stderr || `exit code ${result.exitCode}`}`);
  return result.stdout;
}

/** Waits until the client has that many more answers. */
async function untilAnswered(more) {
  let first;
  for (const deadline = performance.now() + 20_000; performance.now() < deadline; await sleep(100)) {
    const report = JSON.parse(await on('client', 'cat /run/report 2> /dev/null || echo {}'));
    if (report.error) return report;
    first ??= report.answered;
    if (report.answered !== undefined && report.answered >= first + more) return report;
  }
  throw new Error('the client gets no answers');
}
