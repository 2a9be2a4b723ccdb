import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCli } from '../helpers/cli.ts';
import type { MigrationLab } from '../helpers/migration-lab.ts';

/** What only a person can decide: the workload died with its host after it had moved, and its images are older than its end. */
export const BY_HAND = 'a person from the images';

interface Status {
  readonly standing: string;
  readonly sentence: string;
  readonly command?: string;
}

/** Asks for the state and does what it advises, as a person would. @returns the commands that were needed */
export async function follow(
  lab: MigrationLab,
  env: Readonly<Record<string, string>>,
  story: string[],
): Promise<readonly string[]> {
  const directory = join(env['XDG_STATE_HOME'] ?? '', 'criu-flow', 'runs');
  let run: string | undefined;
  try {
    run = readdirSync(directory).toSorted().at(-1);
  } catch {
    // It never came to have one.
  }
  if (run === undefined) return [];
  const commands: string[] = [];
  for (let tries = 0; tries < 4; tries++) {
    const status = await runCli(['status', run, '--lab', lab.lab.name, '--json'], { env });
    story.push(`status: exit code ${status.exitCode}`, status.stdout, status.stderr);
    if (status.exitCode === 0) return commands;
    const said: Partial<Status> = status.stdout.startsWith('{') ? JSON.parse(status.stdout) : {};
    const [, verb] = (said.command ?? `criu-flow ${tries % 2 === 0 ? 'rollback' : 'resume'}`).split(' ');
    if (verb === 'status') {
      await sleep(1000);
      continue;
    }
    if (said.command?.startsWith('ssh ') === true) {
      const [, host = '', ...argv] = said.command.split(' ');
      const done = await lab.on(host, argv);
      commands.push(BY_HAND);
      story.push(`${said.command}: exit code ${done.exitCode}`, done.stdout, done.stderr);
      continue;
    }
    const done = await runCli([verb ?? '', run, '--lab', lab.lab.name, '--reporter', 'plain'], { env });
    commands.push(verb ?? '');
    story.push(`${verb}: exit code ${done.exitCode}`, done.stdout, done.stderr);
  }
  return commands;
}

/** The client has its connection and all its answers; what the service wrote has no hole and no repeat. */
export async function lookAtService(lab: MigrationLab, host: 'a' | 'b'): Promise<readonly string[]> {
  const violations: string[] = [];
  try {
    const { connected, lost, duplicated, forgotten, error } = await lab.untilAnswered(20, 120_000);
    if (!connected || lost + duplicated + forgotten > 0 || error !== null) {
      violations.push(`client: ${JSON.stringify({ connected, lost, duplicated, forgotten, error })}`);
    }
  } catch (error) {
    violations.push(String(error));
  }
  const gaps = await lab.sh(host, `awk '$1 != NR { print NR ": " $0 }' /srv/tcp/requests.log | head -n 3`);
  if (gaps !== '') violations.push(`requests.log has a hole or a repeat: ${gaps}`);
  return violations;
}

/** What no run may leave on a host: files, rules, a criu, a key, a connection that no process has. */
export async function leftOnHosts(lab: MigrationLab): Promise<readonly string[]> {
  const violations: string[] = [];
  // Where the service runs, its kernel may be closing one.
  const orphans = `ip -o address | grep -q ' ${lab.address}/' || ss -H -O -n -t -a -p src ${lab.address}`;
  const left = `find /var/lib/criu-flow -mindepth 1 2> /dev/null; nft list ruleset; pidof criu; wc -l < /root/.ssh/authorized_keys; ${orphans}`;
  for (const name of ['a', 'b']) {
    const found = await lab.sh(name, `{ ${left}; } || :`);
    if (found !== '1') violations.push(`left on ${name}: ${found}`);
  }
  return violations;
}
