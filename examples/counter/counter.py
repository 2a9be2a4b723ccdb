#!/usr/bin/env python3
"""Writes one number a line, for ever: what it has in memory and what it has on disk must agree after a move.

usage: counter.py FILE [INTERVAL_MS] [MEMORY_MIB] [records|random] [WRITTEN_MIB_PER_SECOND]

Each line is `NUMBER SECONDS`, the time of day at which it was written. The longest time between two lines is the
downtime that the process saw. MEMORY_MIB of memory are kept and checked, a piece at a time: records as a server has
them in its cache, or random bytes, which no compression makes smaller. So much of it as is asked for is written to in
a second, one page after the other, from the first to the last and again.
"""
import array
import os
import random
import sys
import time
import zlib

MIB = 1024 * 1024
PAGE = 4096
STAMP = 8
CHECKED_AT_A_TIME = 64


def records(size: int) -> bytes:
    lines = []
    while size > 0:
        number = random.getrandbits(48)
        line = f'{{"session":"{number:012x}","user":{number % 99991},"seen":{time.time():.3f},"cart":[{number % 977}]}}\n'
        lines.append(line)
        size -= len(line)
    return "".join(lines).encode()


class Memory:
    """Pages of which the first bytes are written over and over, and the rest never."""

    def __init__(self, mib: int, fill) -> None:
        self.bytes = bytearray(mib * MIB)
        for start in range(0, len(self.bytes), MIB):
            self.bytes[start : start + MIB] = fill(MIB)[:MIB]
        self.view = memoryview(self.bytes)
        self.pages = len(self.bytes) // PAGE
        self.sums = array.array("L", (self.sum_of(page) for page in range(self.pages)))
        self.checked = 0
        self.written = 0

    def sum_of(self, page: int) -> int:
        return zlib.crc32(self.view[page * PAGE + STAMP : (page + 1) * PAGE])

    def check_some(self) -> bool:
        """Whether the next pages are as they were filled."""
        first = self.checked % max(1, self.pages)
        pages = range(first, min(first + CHECKED_AT_A_TIME, self.pages))
        self.checked = first + len(pages)
        return all(self.sum_of(page) == self.sums[page] for page in pages)

    def write_some(self, pages: int) -> bool:
        """Whether the next pages, which are written now, were as they had been written before."""
        for _ in range(pages):
            start = self.written % self.pages * PAGE
            before = self.written - self.pages
            if before >= 0 and self.bytes[start : start + STAMP] != before.to_bytes(STAMP, "big"):
                return False
            self.bytes[start : start + STAMP] = self.written.to_bytes(STAMP, "big")
            self.written += 1
        return True


def main() -> None:
    path, *rest = sys.argv[1:]
    interval = float(rest[0] if rest else 10) / 1000
    memory = Memory(int(rest[1]) if rest[1:] else 0, os.urandom if rest[2:3] == ["random"] else records)
    pages_per_second = (float(rest[3]) if rest[3:] else 0) * MIB / PAGE
    number = 0
    due = 0.0
    last = time.monotonic()
    with open(path, "a", buffering=1) as out:
        while True:
            number += 1
            now = time.monotonic()
            # After a pause it goes on as before, and does not catch up.
            due += min(now - last, 10 * interval) * pages_per_second
            last = now
            if not memory.check_some() or not memory.write_some(int(due)):
                out.write("memory corrupted\n")
                sys.exit(1)
            due -= int(due)
            out.write(f"{number} {time.time():.6f}\n")
            time.sleep(interval)


main()
