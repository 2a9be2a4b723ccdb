import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../helpers/cli.ts';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

const EXAMPLE = '/shared/examples/nginx';
const CONFIG = '/etc/nginx/www.conf';

describe.skipIf(labSkipReason !== undefined)('examples/nginx', () => {
  let lab: MigrationLab;
  beforeAll(async () => {
    lab = await MigrationLab.up();
  });
  afterAll(() => lab?.down());

  /** Runs a command about the lab's hosts, where the recipes of this file are. */
  const cli = (args: readonly string[], stdin = ''): ReturnType<typeof runCli> =>
    runCli(args, { cwd: lab.directory, stdin });
  const master = (host: string): Promise<string> =>
    lab.sh(host, 'cat /run/nginx.pid; tr "\\0" " " < "/proc/$(cat /run/nginx.pid)/cmdline"');

  test('nginx moves by the recipe, and back by one that init wrote; its client keeps its connection', async () => {
    for (const host of ['a', 'b'])
      await lab.sh(host, `sed "s/198[.]18[.]0[.]100/$1/" ${EXAMPLE}/nginx.conf > ${CONFIG}`, lab.address);
    await lab.sh(
      'a',
      `ip address add "$1" dev eth0
      mkdir -p /srv/www /srv/www-logs
      echo 'hello from nginx' > /srv/www/index.html
      nginx -c ${CONFIG}`,
      lab.lab.serviceAddress,
    );
    const before = await master('a');
    expect(before).toContain('nginx: master process');
    await lab.sh(
      'c',
      `setsid python3 ${EXAMPLE}/client.py "$1" 80 3600 < /dev/null > /run/client.log 2>&1 &
      echo $! > /run/client.pid
      until grep -q 'one connection' /run/client.log; do sleep 0.05; done`,
      lab.address,
    );

    // Nothing is timed here: a machine that has more to do takes several times as long.
    const patient = ['-i', 'outage=5m', '-i', 'downtime=5m', '-i', `address=${lab.lab.serviceAddress}`];
    const there = ['-i', 'source=a', '-i', 'destination=b', '--lab', lab.lab.name, '--reporter', 'plain'];
    const recipe = `${lab.sharedDirectory}/examples/nginx/nginx.yaml`;
    const moved = await cli(['run', recipe, ...patient, ...there]);
    expect(moved.exitCode, moved.stdout).toBe(0);
    expect(await master('b')).toBe(before);
    expect(await lab.sh('a', 'ls /run/nginx.pid 2> /dev/null || ps -e -o args= | grep "[n]ginx:" || :')).toBe(
      '',
    );

    const answers = [
      ...['Move nginx back', 'pidFile', '/run/nginx.pid', 'b', 'a', '', lab.lab.serviceAddress, ''],
      ...['/srv/www, /srv/www-logs, /run/nginx.pid', 'http', `http://${lab.address}/health`],
    ];
    const asked = await cli(['init', 'back.yaml'], `${answers.join('\n')}\n`);
    expect(asked.exitCode, asked.stderr).toBe(0);
    const back = await cli(['run', './back.yaml', '--lab', lab.lab.name, '--reporter', 'plain']);
    // Its objective is that of a machine that has nothing else to do.
    expect([0, 7], back.stdout).toContain(back.exitCode);
    expect(back.stdout.replaceAll('OBJECTIVE_MISSED', '')).not.toMatch(/[A-Z]+_(FAILED|MISSED|LONG)/);
    expect(await master('a')).toBe(before);

    const report = await lab.sh(
      'c',
      `kill -TERM "$(cat /run/client.pid)"
      until grep -q 'good' /run/client.log; do sleep 0.05; done
      cat /run/client.log`,
    );
    expect(report).toMatch(/^[1-9]\d* good, 0 bad answers on 1 connection/m);
    expect(report).not.toContain('LOST');
    // It is no copy that only answers: it is told by its own pid file, as before.
    await lab.sh('a', `nginx -c ${CONFIG} -s reload && nginx -c ${CONFIG} -s quit`);
    await lab.sh('a', 'while [ -e /run/nginx.pid ]; do sleep 0.05; done');
  });

  test('a config that is not the same there is refused before anything is frozen', async () => {
    await lab.sh(
      'a',
      `mkdir -p /srv/www /srv/www-logs; nginx -c ${CONFIG}; until [ -s /run/nginx.pid ]; do sleep 0.05; done`,
    );
    await lab.sh('b', `echo '# drift' >> ${CONFIG}`);
    const inputs = ['-i', 'source=a', '-i', 'destination=b', '-i', `address=${lab.lab.serviceAddress}`];
    const recipe = `${lab.sharedDirectory}/examples/nginx/nginx.yaml`;
    const refused = await cli(['run', recipe, ...inputs, '--lab', lab.lab.name, '--reporter', 'plain']);
    expect(refused.exitCode, refused.stdout).toBe(4);
    expect(refused.stdout).toContain('sha256sum on b ended with exit code 1');
    expect(refused.stdout).toContain(`${CONFIG}: FAILED`);
    await lab.sh('a', `nginx -c ${CONFIG} -s quit`);
  });
});
