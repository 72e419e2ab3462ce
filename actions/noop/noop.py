"""Does nothing: the time a call takes is the platform's own.

The checksum is that of the seed, so an answer that belongs to another call is noticed.
"""

from __future__ import annotations

import itertools
import os
import platform
import time
import zlib

CONTAINER = os.urandom(8).hex()
BOOT_MS = int(time.time() * 1000)
CALLS = itertools.count(1)


def main(args: dict) -> dict:
    started = time.perf_counter_ns()
    checksum = zlib.crc32(b"%d" % int(args.get("seed", 42)))
    total_us = (time.perf_counter_ns() - started) // 1000
    return {
        "checksum": f"{checksum:08x}",
        "ok": True,
        "t": {"gen": 0, "compute": 0, "io": 0, "total": total_us},
        "n": 0,
        "c": CONTAINER,
        "boot": BOOT_MS,
        "k": next(CALLS),
        "py": platform.python_version(),
    }
