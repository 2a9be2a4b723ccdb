#!/usr/bin/env python3
"""Writes one number a line, for ever: what it has in memory and what it has on disk must agree after a move.

usage: counter.py FILE [INTERVAL_MS] [MEMORY_MIB]

Each line is `NUMBER SECONDS`, the time of day at which it was written. The longest time between two lines is the
downtime that the process saw. MEMORY_MIB of random bytes are kept and checked, a page at a time.
"""
import os
import sys
import time
import zlib


def main() -> None:
    path = sys.argv[1]
    interval = float(sys.argv[2] if len(sys.argv) > 2 else 10) / 1000
    memory_mib = int(sys.argv[3] if len(sys.argv) > 3 else 0)
    pages = [os.urandom(1024 * 1024) for _ in range(memory_mib)]
    sums = [zlib.crc32(page) for page in pages]
    number = 0
    with open(path, "a", buffering=1) as out:
        while True:
            number += 1
            if pages:
                index = number % memory_mib
                if zlib.crc32(pages[index]) != sums[index]:
                    out.write("memory corrupted\n")
                    sys.exit(1)
            out.write(f"{number} {time.time():.6f}\n")
            time.sleep(interval)


main()
