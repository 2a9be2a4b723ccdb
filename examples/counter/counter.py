#!/usr/bin/env python3
"""Writes one number a line, for ever: what it has in memory and what it has on disk must agree after a move.

usage: counter.py FILE [INTERVAL_MS] [MEMORY_MIB] [records|random]

Each line is `NUMBER SECONDS`, the time of day at which it was written. The longest time between two lines is the
downtime that the process saw. MEMORY_MIB of memory are kept and checked, a piece at a time: records as a server has
them in its cache, or random bytes, which no compression makes smaller.
"""
import os
import random
import sys
import time
import zlib


def records(size: int) -> bytes:
    lines = []
    while size > 0:
        number = random.getrandbits(48)
        line = f'{{"session":"{number:012x}","user":{number % 99991},"seen":{time.time():.3f},"cart":[{number % 977}]}}\n'
        lines.append(line)
        size -= len(line)
    return "".join(lines).encode()


def main() -> None:
    path = sys.argv[1]
    interval = float(sys.argv[2] if len(sys.argv) > 2 else 10) / 1000
    memory_mib = int(sys.argv[3] if len(sys.argv) > 3 else 0)
    fill = os.urandom if sys.argv[4:] == ["random"] else records
    pieces = [fill(1024 * 1024) for _ in range(memory_mib)]
    sums = [zlib.crc32(piece) for piece in pieces]
    number = 0
    with open(path, "a", buffering=1) as out:
        while True:
            number += 1
            if pieces:
                index = number % memory_mib
                if zlib.crc32(pieces[index]) != sums[index]:
                    out.write("memory corrupted\n")
                    sys.exit(1)
            out.write(f"{number} {time.time():.6f}\n")
            time.sleep(interval)


main()
