// What a pause cannot be shorter than, for a process whose memory moves in it.
import { on, startCounter, endCounter } from './counter.mjs';

/** Milliseconds of as many bytes by plain TCP from a to b, and of criu for a dump and a restore on b. */
export function limitOf(lab, memoryMiB) {
  const pid = startCounter(lab, 'b', { memoryMiB, content: 'random' });
  const criuMs = on(
    lab,
    'b',
    `rm -rf /var/tmp/images && mkdir -p /var/tmp/images
    began=$(date +%s%N)
    criu dump -t "$1" -D /var/tmp/images && criu restore -d -D /var/tmp/images
    ended=$(date +%s%N)
    echo $(((ended - began) / 1000000))`,
    [pid],
  );
  endCounter(lab, 'b', pid);
  return Number(criuMs.trim().split('\n').at(-1)) + tcpMs(lab, memoryMiB);
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
