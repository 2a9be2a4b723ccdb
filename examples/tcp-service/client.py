#!/usr/bin/env python3
"""One client that never reconnects: it asks every few milliseconds and keeps account of the answers.

usage: client.py ADDRESS PORT REPORT_FILE [INTERVAL_MS]

Runs until SIGTERM, or until the connection is lost. REPORT_FILE is replaced every 0.1 s by
`{"connected": …, "sent": …, "answered": …, "lost": …, "duplicated": …, "longestGapMs": …, "error": …}`. An answer counts
as lost when a later one comes first, as duplicated when it comes again, and the count in it must be the client's own
number: the service has one client and never forgets.
"""
import json
import os
import selectors
import signal
import socket
import sys
import time


def main() -> None:
    address, port, report_file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    interval = float(sys.argv[4] if len(sys.argv) > 4 else 10) / 1000
    state = {
        "connected": False,
        "sent": 0,
        "answered": 0,
        "lost": 0,
        "duplicated": 0,
        "forgotten": 0,
        "longestGapMs": 0.0,
        "error": None,
    }
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))

    def report() -> None:
        with open(report_file + ".new", "w") as out:
            json.dump(state, out)
        os.replace(report_file + ".new", report_file)

    try:
        connection = socket.create_connection((address, port), timeout=10)
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        state["connected"] = True
        report()
        selector = selectors.DefaultSelector()
        selector.register(connection, selectors.EVENT_READ)
        rest, reported, answered_at = b"", time.monotonic(), time.monotonic()
        next_at = time.monotonic()
        while not stopping or state["answered"] < state["sent"]:
            now = time.monotonic()
            # One request at a time: a gap in the answers is the service's gap, not a queue's.
            if not stopping and now >= next_at and state["sent"] == state["answered"]:
                state["sent"] += 1
                connection.send(f"{state['sent']}\n".encode())
                next_at = now + interval
            if selector.select(0.005):
                data = connection.recv(65536)
                if not data:
                    raise ConnectionError("closed by the service")
                *answers, rest = (rest + data).split(b"\n")
                for answer in answers:
                    number, count = map(int, answer.split())
                    if number <= state["answered"]:
                        state["duplicated"] += 1
                        continue
                    state["lost"] += number - state["answered"] - 1
                    state["forgotten"] += int(count != number)
                    state["answered"] = number
                    gap = (time.monotonic() - answered_at) * 1000
                    answered_at = time.monotonic()
                    state["longestGapMs"] = round(max(state["longestGapMs"], gap), 1)
            if now - reported > 0.1:
                reported = now
                report()
    except OSError as error:
        state["connected"] = False
        state["error"] = str(error)
    report()


main()
