import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunSummary } from '../../src/events/event.ts';
import type { Side } from '../faults/fault.ts';
import { settleIn } from '../faults/power-faults.ts';
import { machinesSkipReason, MigrationLab } from '../helpers/migration-lab.ts';
import { mountNfs, NFS, serveNfs, unmountNfs } from './nfs-server.ts';

/** Of a data directory that is on both hosts, nothing moves but the memory. */
const PLACES = [
  {
    title: 'with its data copied',
    data: '/srv/pg',
    files: ['/srv/pg'],
    transfer: '{ uses: transfer/rsync }',
    moves: 20,
  },
  {
    title: 'with its data on NFS',
    data: `${NFS}/pg`,
    files: [],
    transfer: `{ uses: transfer/shared, with: { directory: ${NFS} } }`,
    moves: 4,
  },
] as const;

/** Makes a data directory, on the machine whose disk it is on. Arguments: the directory, the server's address. */
const MAKE_DATA = `
bin=$(echo /usr/lib/postgresql/*/bin)
install -d -o postgres -g postgres -m 700 "$1"
cd /
setpriv --reuid postgres --regid postgres --init-groups "$bin/initdb" -D "$1" --no-sync --auth trust --locale C > /dev/null
cat >> "$1/postgresql.conf" <<EOF
listen_addresses = '$2'
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
shared_buffers = 16MB
jit = off
EOF
echo 'host all all samenet trust' >> "$1/pg_hba.conf"
`;

/**
 * Starts a server as user postgres, with System V shared memory of its own: that of the whole host belongs to nobody who could move.
 * Arguments: its address with prefix length, the data directory.
 */
const START_SERVER = `
bin=$(echo /usr/lib/postgresql/*/bin)
ip address replace "$1" dev eth0
cd /
setsid unshare --ipc setpriv --reuid postgres --regid postgres --init-groups "$bin/postgres" -D "$2" \\
  < /dev/null > "$2/server.log" 2>&1 &
until "$bin/pg_isready" -q -h "\${1%/*}"; do sleep 0.2; done
head -n 1 "$2/postmaster.pid"
`;

/**
 * Opens a session of psql that inserts a number after the other, each a transaction, and writes down which were acknowledged; and keeps
 * pgbench at work beside it. Argument: the server's address.
 */
const START_CLIENTS = `
bin=$(echo /usr/lib/postgresql/*/bin)
export PGHOST=$1 PGUSER=postgres
rm -rf /run/clients
mkdir /run/clients
cd /run/clients
psql -q -c 'create table ids (id int)'
"$bin/pgbench" -i -q > /dev/null 2>&1
setsid sh -c '
  {
    while [ ! -e stop ]; do
      n=$((n + 1))
      echo "insert into ids values ($n) returning id;"
      sleep 0.1
    done
  } | psql -qAt -v ON_ERROR_STOP=1 > acknowledged 2> psql.err
  echo $? > psql.exit
' < /dev/null > /dev/null 2>&1 &
setsid sh -c '
  while [ ! -e stop ]; do
    "$1" -n -c 2 -R 20 -T 20 >> pgbench.log 2>> pgbench.err || { touch pgbench.failed; break; }
  done
  touch pgbench.over
' sh "$bin/pgbench" < /dev/null > /dev/null 2>&1 &
until [ -s acknowledged ]; do sleep 0.1; done
`;

describe.skipIf(machinesSkipReason !== undefined)('PostgreSQL, with sessions of psql and pgbench', () => {
  describe.each(PLACES)('$title', ({ data, files, transfer, moves }) => {
    let lab: MigrationLab;
    let pid: string;
    beforeAll(async () => {
      lab = await MigrationLab.up({ driver: 'vm' });
      for (const host of ['a', 'b'] as const) await settleIn(lab, host);
      if (files.length === 0) {
        await serveNfs(lab, 'no_root_squash');
        await mountNfs(lab);
      }
      const [host, directory] = files.length === 0 ? ['c', `/export${data.slice(NFS.length)}`] : ['a', data];
      await lab.sh(host, MAKE_DATA, directory, lab.address);
      pid = await lab.sh('a', START_SERVER, lab.lab.serviceAddress, data);
      await lab.sh('c', START_CLIENTS, lab.address);
    });
    afterAll(async () => {
      if (files.length === 0) await unmountNfs(lab);
      await lab.down();
    });

    const move = (from: Side, to: Side): Promise<RunSummary> =>
      lab.run({
        workload: `pid: ${pid}`,
        network: `connections: keep, address: { cidr: ${lab.lab.serviceAddress} }`,
        files,
        steps: `- uses: preflight
        - uses: dump
        - ${transfer}
        - uses: restore
        - { uses: verify, with: { checks: [{ tcp: { address: ${lab.address}, port: 5432, from: source } }] } }`,
        from,
        to,
      });

    const acknowledged = async (): Promise<number> =>
      Number(await lab.sh('c', 'wc -l < /run/clients/acknowledged'));

    async function untilAcknowledged(more: number): Promise<void> {
      const first = await acknowledged();
      const deadlineMs = performance.now() + 130_000;
      while ((await acknowledged()) < first + more) {
        if (performance.now() > deadlineMs) throw new Error(await lab.sh('c', 'cat /run/clients/*.err'));
        await sleep(200);
      }
    }

    test(
      `moves to and fro ${moves} times: what was acknowledged is there once, and nothing else`,
      { timeout: moves * 150_000 },
      async () => {
        for (let number = 1; number <= moves; number++) {
          const [from, to] = number % 2 === 1 ? (['a', 'b'] as const) : (['b', 'a'] as const);
          const summary = await move(from, to);
          expect(summary, `move ${number}: ${JSON.stringify(summary.failure)}`).toMatchObject({
            exitCode: 0,
          });
          process.stdout.write(`move ${number}: downtime ${Math.round(summary.downtimeMs ?? 0)} ms\n`);
          await untilAcknowledged(5);
        }
        await lab.sh(
          'c',
          'cd /run/clients; touch stop; until [ -e psql.exit ] && [ -e pgbench.over ]; do sleep 0.2; done',
        );
        expect(
          await lab.sh('c', 'cat /run/clients/psql.exit /run/clients/*.err; ls /run/clients/*.failed || :'),
        ).toBe('0');
        const query = (sql: string): Promise<string> =>
          lab.sh('c', 'psql -h "$1" -U postgres -qAt -c "$2"', lab.address, sql);
        const known = await lab.sh('c', 'cat /run/clients/acknowledged');
        expect(await query('select id from ids order by id')).toBe(known);
        const processed = await lab.sh(
          'c',
          "awk '/actually processed/ { sum += $NF } /failed transactions/ { failed += $5 } END { print sum, failed + 0 }' /run/clients/pgbench.log",
        );
        expect(`${await query('select count(*) from pgbench_history')} 0`).toBe(processed);
        expect(
          await query(
            'select sum(delta) - (select sum(bbalance) from pgbench_branches) from pgbench_history',
          ),
        ).toBe('0');
      },
    );
  });
});
