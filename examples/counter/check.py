#!/usr/bin/env python3
"""Reads what counter.py wrote and says whether a number is missing or repeated, and the longest gap.

usage: check.py FILE

Prints `{"numbers": N, "missing": M, "repeated": R, "longestGapMs": G}`.
"""
import json
import sys


def main() -> None:
    numbers, times = [], []
    with open(sys.argv[1]) as lines:
        for line in lines:
            fields = line.split()
            if len(fields) != 2 or not line.endswith("\n"):
                continue
            numbers.append(int(fields[0]))
            times.append(float(fields[1]))
    missing = (max(numbers) if numbers else 0) - len(set(numbers))
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    print(
        json.dumps(
            {
                "numbers": len(numbers),
                "missing": missing,
                "repeated": len(numbers) - len(set(numbers)),
                "longestGapMs": round(max(gaps, default=0) * 1000, 1),
            }
        )
    )


main()
