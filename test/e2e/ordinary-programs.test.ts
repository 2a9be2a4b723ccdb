import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { labSkipReason, MigrationLab } from '../helpers/migration-lab.ts';

/** Counts in a file, from 1 on, for ever: `say` in each language writes the next number on a line of its own. */
const PYTHON = `
import time
n = 0
out = open("numbers", "a", buffering=1)
def say():
    global n
    n += 1
    print(n, file=out)
`;
const SHELL = 'n=0; while :; do n=$((n + 1)); echo $n >> numbers; sleep 0.02; done';

/**
 * Programs that stand in for what people run, each a command of the shell that does not end. Not among them: SQLite, which writes to no database whose
 * inode is another one, and inotify, of which criu dumps nothing on the lab's overlay file system ("Can't dump that handle").
 */
const PROGRAMS: Readonly<Record<string, string>> = {
  'a loop of sh': SHELL,
  'a loop of bash with a subshell': `exec bash -c 'n=0; while :; do (sleep 0.02); n=$((n + 1)); echo $n >> numbers; done'`,
  'awk that runs commands': `exec awk 'BEGIN { for (;;) { print ++n >> "numbers"; fflush(); system("sleep 0.02") } }'`,
  perl: `exec perl -e 'open my $out, ">>", "numbers"; $out->autoflush(1); for (;;) { print $out ++$n, "\\n"; select undef, undef, undef, 0.02 }'`,
  'a pipeline': `while :; do echo; sleep 0.02; done | sed -u -n '=' >> numbers`,
  'a pipeline whose children come and go': `exec bash -c 'exec > >(sed -u -n = >> numbers); while :; do date; sleep 0.02; done'`,
  'a fifo between two of its own': `mkfifo fifo; (while :; do echo; sleep 0.02; done > fifo) & sed -u -n '=' < fifo >> numbers`,
  'fifty children': `for each in $(seq 50); do sleep 4711 & done; ${SHELL}`,
  'an orphan in another session': `setsid sleep 4711 & ${SHELL}`,
  'tail that follows': `{ ${SHELL.replace('numbers', 'source')}; } & until [ -e source ]; do sleep 0.01; done; exec tail -n +1 -f source >> numbers`,
  'a terminal of its own': python(`
import os, pty
pid, terminal = pty.fork()
if pid == 0:
    while True:
        print("x", end="", flush=True)
        time.sleep(0.02)
while os.read(terminal, 1):
    say()`),
  'descriptors and a signal mask': `exec 5>> numbers 6< /etc/passwd; trap '' HUP USR1; n=0; while :; do n=$((n + 1)); echo $n >&5; sleep 0.02; done`,
  python: python('while True:\n    say()\n    time.sleep(0.02)'),
  threads: python(`
import threading
turn = threading.Semaphore()
def work():
    while True:
        with turn:
            say()
        time.sleep(0.05)
for _ in range(8):
    threading.Thread(target=work).start()`),
  'a timer and its signal': python(`
import signal
signal.signal(signal.SIGALRM, lambda *_: say())
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
while True:
    signal.pause()
    assert signal.SIGUSR2 in signal.pthread_sigmask(signal.SIG_BLOCK, [])`),
  'epoll, with an eventfd': python(`
import os, select
event = os.eventfd(0)
poll = select.epoll()
poll.register(event, select.EPOLLIN)
while True:
    os.eventfd_write(event, 1)
    assert poll.poll(1) == [(event, select.EPOLLIN)]
    os.eventfd_read(event)
    say()
    time.sleep(0.02)`),
  'a pair of unix sockets between two of its own': python(`
import os, socket
one, other = socket.socketpair()
if os.fork() == 0:
    while True:
        one.sendall(b"x")
        time.sleep(0.02)
while other.recv(1):
    say()`),
  'a connection over loopback between two of its own': python(`
import os, socket
listening = socket.create_server(("127.0.0.1", 4711))
if os.fork() == 0:
    own = socket.create_connection(("127.0.0.1", 4711))
    while True:
        own.sendall(b"x")
        time.sleep(0.02)
other = listening.accept()[0]
while other.recv(1):
    say()`),
  'a port that it listens at, by TCP and UDP': python(`
import socket
tcp = socket.create_server(("0.0.0.0", 4712))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 4713))
while True:
    udp.sendto(b"x", udp.getsockname())
    assert udp.recv(1) == b"x"
    say()
    time.sleep(0.02)`),
  'memory that is shared, and a file that is mapped': python(`
import mmap, os
shared = mmap.mmap(-1, 1 << 20)
file = open("mapped", "w+b")
file.truncate(1 << 20)
mapped = mmap.mmap(file.fileno(), 1 << 20)
if os.fork() == 0:
    while True:
        mapped[0:4] = shared[0:4]
        time.sleep(0.01)
while True:
    shared[0:4] = n.to_bytes(4, "big")
    while mapped[0:4] != shared[0:4]:
        time.sleep(0.001)
    say()
    time.sleep(0.02)`),
};

function python(program: string): string {
  return `exec python3 -c '${PYTHON}${program}'`;
}

describe.skipIf(labSkipReason !== undefined)(
  'an ordinary program is no cause for alarm, moves, and goes on',
  () => {
    let lab: MigrationLab;
    beforeAll(async () => {
      lab = await MigrationLab.up();
    });
    afterAll(() => lab?.down());
    afterEach(async () => {
      for (const host of ['a', 'b'])
        await lab.sh(
          host,
          'for cwd in /proc/[0-9]*/cwd; do case $(readlink "$cwd") in /srv/own*) pid=${cwd%/cwd} && kill -KILL "${pid#/proc/}" ;; esac; done; :',
        );
      await lab.reset();
    });

    test.each(Object.entries(PROGRAMS))('%s', async (_, program) => {
      const start = `mkdir -p /srv/own && cd /srv/own && { setsid sh -c "$1" < /dev/null > /dev/null 2>&1 & echo $!; }
      until [ "$(wc -l 2> /dev/null < numbers)" -gt 5 ] 2> /dev/null; do sleep 0.02; done`;
      const pid = Number(await lab.sh('a', start, program));
      // What is blocked a shell changes for moments; the program of the timer looks at its own.
      const threads = 'for task in /proc/$1/task/*/status; do grep -h "^SigIgn\\|^SigCgt" "$task"; done';
      const before = await lab.sh('a', threads, String(pid));
      const summary = await lab.run({
        workload: `pid: ${pid}`,
        files: ['/srv/own'],
        steps: '- uses: preflight\n- uses: dump\n- uses: transfer/rsync\n- uses: restore',
      });
      expect(summary, JSON.stringify(summary.failure)).toMatchObject({ outcome: 'done', warnings: [] });
      const went =
        'lines=$(wc -l < /srv/own/numbers); until [ "$(wc -l < /srv/own/numbers)" -gt $((lines + 5)) ]; do sleep 0.02; done';
      await lab.sh('b', went);
      const numbers = (await lab.sh('b', 'cat /srv/own/numbers')).split('\n').map(Number);
      expect(numbers).toEqual(numbers.map((__, index) => index + 1));
      expect(await lab.sh('b', threads, String(pid))).toBe(before);
    });
  },
);
