#!/usr/bin/env python3
"""A service with state: it counts the requests of all its clients, and answers each with the count.

usage: server.py ADDRESS PORT DATA_DIRECTORY [MEMORY_MIB]

A request is `NUMBER\\n`, the answer `NUMBER COUNT\\n`. Each request is also a line in DATA_DIRECTORY/requests.log, a file
that stays open. The pid is in DATA_DIRECTORY/pid.
"""
import os
import selectors
import socket
import sys


def main() -> None:
    address, port, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    ballast = os.urandom(1024 * 1024 * int(sys.argv[4] if len(sys.argv) > 4 else 0))
    listener = socket.create_server((address, port), backlog=64)
    log = open(os.path.join(directory, "requests.log"), "a", buffering=1)
    with open(os.path.join(directory, "pid"), "w") as pid_file:
        pid_file.write(f"{os.getpid()}\n")
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    pending = {}
    count = 0
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(connection, selectors.EVENT_READ)
                pending[connection] = b""
                continue
            connection = key.fileobj
            data = connection.recv(65536)
            if not data:
                selector.unregister(connection)
                del pending[connection]
                connection.close()
                continue
            *requests, rest = (pending[connection] + data).split(b"\n")
            pending[connection] = rest
            for request in requests:
                count += 1
                log.write(f"{request.decode()} {len(ballast)}\n")
                connection.sendall(request + f" {count}\n".encode())


main()
