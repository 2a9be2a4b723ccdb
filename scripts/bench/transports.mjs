// The downtime of a process by each transport, against the three-line script and against what the machine can do at all.
import { gapOf, moveByCriuFlow, moveByScript, on, onLab } from './counter.mjs';
import { median } from './statistics.mjs';

const SIZES_MIB = [16, 256, 1024];
const RATES = [undefined, 1000];
const WAYS = {
  script: moveByScript,
  'transfer/rsync': moveByCriuFlow('transfer/rsync'),
  'transfer/sftp': moveByCriuFlow('transfer/sftp'),
  'transfer/stream': moveByCriuFlow('transfer/stream'),
};
/** Of the stream, at 1 GiB. */
const MOST_OF_SCRIPT = 1 / 3;
const MOST_OF_LIMIT = 1.5;

/**
 * All ways in turn on the same lab, for each size and link. The limit is what must be: the time of the bytes on the link, as fast
 * as plain TCP carries them, and of criu to dump and restore them on one host.
 * @returns whether the stream is within its limits at 1 GiB
 */
export async function measureTransports(rounds) {
  let isGood = true;
  console.log(
    `\n| random memory, link, median gap of ${rounds} | limit | ${Object.keys(WAYS).join(' | ')} | stream to script | stream to limit |`,
  );
  console.log(
    `| --- | --- | ${Object.keys(WAYS)
      .map(() => '---')
      .join(' | ')} | --- | --- |`,
  );
  for (const rateMbitPerSecond of RATES) {
    await onLab({ name: 'bench', ...(rateMbitPerSecond && { rateMbitPerSecond }) }, (lab) => {
      for (const memoryMiB of SIZES_MIB) {
        const gaps = Object.fromEntries([...Object.keys(WAYS), 'limit'].map((way) => [way, []]));
        for (let round = 0; round < rounds; round++) {
          for (const [way, move] of Object.entries(WAYS))
            gaps[way].push(gapOf(lab, { memoryMiB, content: 'random' }, move));
          gaps.limit.push(limitOf(lab, memoryMiB));
        }
        const medians = Object.fromEntries(
          Object.entries(gaps).map(([way, values]) => [way, median(values)]),
        );
        const toScript = medians['transfer/stream'] / medians.script;
        const toLimit = medians['transfer/stream'] / medians.limit;
        if (memoryMiB === 1024) isGood &&= toScript <= MOST_OF_SCRIPT && toLimit <= MOST_OF_LIMIT;
        const link =
          rateMbitPerSecond === undefined ? 'as fast as it can' : `${rateMbitPerSecond / 1000} Gbit/s`;
        const cells = ['limit', ...Object.keys(WAYS)].map((way) => `${Math.round(medians[way])} ms`);
        console.log(
          `| ${memoryMiB} MiB, ${link} | ${cells.join(' | ')} | ${toScript.toFixed(2)} | ${toLimit.toFixed(2)} |`,
        );
      }
    });
  }
  return isGood;
}

/** Milliseconds of as many bytes by plain TCP from a to b, and of criu for a dump and a restore on b. */
function limitOf(lab, memoryMiB) {
  const local = on(
    lab,
    'b',
    `rm -rf /srv/counter /var/tmp/images && mkdir -p /srv/counter /var/tmp/images
    setsid python3 /shared/examples/counter/counter.py /srv/counter/numbers 2 "$1" random < /dev/null > /dev/null 2>&1 &
    pid=$!
    until [ "$(wc -l 2> /dev/null < /srv/counter/numbers)" -gt 100 ] 2> /dev/null; do sleep 0.05; done
    began=$(date +%s%N)
    criu dump -t "$pid" -D /var/tmp/images && criu restore -d -D /var/tmp/images
    ended=$(date +%s%N)
    kill "$pid"; while [ -d "/proc/$pid" ]; do sleep 0.02; done
    echo $(((ended - began) / 1000000))`,
    [String(memoryMiB)],
  );
  return Number(local.trim().split('\n').at(-1)) + tcpMs(lab, memoryMiB);
}

const SEND = `
import os, socket, sys, time
block = os.urandom(1 << 20)
with socket.create_connection((sys.argv[1], 5001)) as out:
    began = time.monotonic()
    for _ in range(int(sys.argv[2])): out.sendall(block)
    out.shutdown(socket.SHUT_WR)
    out.recv(1)
    print((time.monotonic() - began) * 1000)
`;
const RECEIVE = `
import socket
with socket.create_server(("", 5001)) as server:
    open("/run/receives", "w").close()
    incoming, _ = server.accept()
    block = bytearray(1 << 20)
    while incoming.recv_into(block): pass
    incoming.sendall(b"x")
`;

function tcpMs(lab, memoryMiB) {
  on(
    lab,
    'b',
    'rm -f /run/receives; setsid python3 -c "$1" < /dev/null > /dev/null 2>&1 & until [ -e /run/receives ]; do sleep 0.05; done',
    [RECEIVE],
  );
  return Number(on(lab, 'a', 'python3 -c "$1" "$2" "$3"', [SEND, lab.hosts[1].address, String(memoryMiB)]));
}
