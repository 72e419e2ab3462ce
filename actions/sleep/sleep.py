"""Sleeps: holds a container for a known time and burns no CPU.

What a storm of it shows is the platform's capacity in containers, whatever the processors can do. The time asleep is reported as `io`;
`ok` says that it was not cut short. The checksum covers the milliseconds and the seed.
"""

from __future__ import annotations

import itertools
import os
import platform
import time
import zlib

SIZES = {"small": {"ms": 10}, "medium": {"ms": 100}, "large": {"ms": 1000}}

CONTAINER = os.urandom(8).hex()
BOOT_MS = int(time.time() * 1000)
CALLS = itertools.count(1)


def main(args: dict) -> dict:
    milliseconds = duration_ms(args)
    started = time.perf_counter_ns()
    time.sleep(milliseconds / 1000)
    slept_us = (time.perf_counter_ns() - started) // 1000
    checksum = zlib.crc32(b"%d,%d" % (milliseconds, int(args.get("seed", 42))))
    return {
        "checksum": f"{checksum:08x}",
        "ok": slept_us >= milliseconds * 1000,
        "t": {"gen": 0, "compute": 0, "io": slept_us, "total": slept_us},
        "n": milliseconds,
        "c": CONTAINER,
        "boot": BOOT_MS,
        "k": next(CALLS),
        "py": platform.python_version(),
    }


def duration_ms(args: dict) -> int:
    size = args.get("size", "small")
    if size not in SIZES:
        raise ValueError(f"sleep has no size {size!r}, only {', '.join(SIZES)}")
    milliseconds = int(args.get("ms", SIZES[size]["ms"]))
    if milliseconds < 0:
        raise ValueError(f"cannot sleep for {milliseconds} ms")
    return milliseconds
