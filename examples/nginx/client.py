#!/usr/bin/env python3
"""One keep-alive HTTP connection, a GET every 50 ms. Never connects again: a lost connection ends it with 1.
usage: client.py HOST PORT SECONDS   (SIGTERM or ^C ends it early, with the report)"""
import signal, socket, sys, time

host, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
stop = False


def end(*_):
    global stop
    stop = True


signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
s = socket.create_connection((host, port), timeout=30)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
mine = s.getsockname()[1]
print('one connection, from port', mine, flush=True)


def get():
    s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    data = b''
    while b'\r\n\r\n' not in data:
        more = s.recv(65536)
        if not more:
            raise EOFError('the server closed the connection')
        data += more
    head, body = data.split(b'\r\n\r\n', 1)
    length = int([l for l in head.split(b'\r\n') if l.lower().startswith(b'content-length:')][0].split(b':')[1])
    while len(body) < length:
        more = s.recv(65536)
        if not more:
            raise EOFError('the server closed the connection')
        body += more
    return head.startswith(b'HTTP/1.1 200') and b'hello from nginx' in body and b'connection: close' not in head.lower()


good = bad = 0
slowest = 0.0
began = time.monotonic()
rc = 0
while not stop and time.monotonic() - began < seconds:
    t = time.monotonic()
    try:
        if get():
            good += 1
        else:
            bad += 1
    except (OSError, EOFError) as e:
        print(f'CONNECTION LOST: {e!r}', flush=True)
        rc = 1
        break
    took = time.monotonic() - t
    slowest = max(slowest, took)
    if took > 0.2:
        print(f'{time.strftime("%H:%M:%S")} an answer took {took * 1000:.0f} ms', flush=True)
    time.sleep(max(0.0, 0.05 - took))
print(f'{good} good, {bad} bad answers on 1 connection (port {mine}) in {time.monotonic() - began:.0f} s; '
      f'slowest {slowest * 1000:.0f} ms', flush=True)
sys.exit(rc or (1 if bad else 0))
