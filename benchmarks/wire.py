"""What does a call cost the generator, and what would it cost with another client?

A closed loop over 64 keep-alive connections; every reply is a whole activation record, read and recorded as a row (benchmarks/clients.py).
wrk, where it is on PATH, shows what the same exchange costs in C, but reads and records nothing.

    python -m benchmarks.wire [--rounds 5] [--calls 12000]
"""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.clients import CONNECTIONS, Tally, awaited, engine, lean, play, prepared, with_aiohttp
from benchmarks.measure import Cores, Machine, Spread, arguments, interleave, pin, ratio, show
from benchmarks.server import serving

OURS = "connection, reading, row"
BARE = "connection alone"
WRK_S = 1


def main() -> None:
    asked = arguments("CPU of a call, client against client.", rounds=5, calls=12_000)
    machine, cores = Machine(), Cores.available()
    with serving(cores.server) as port:
        pin(cores.client)
        sides: dict[str, Callable[[], float]] = {
            OURS: partial(play, lean, port, asked.calls),
            BARE: partial(play, lean, port, asked.calls, Tally),
            "the same, a Future and a time-out a call": partial(play, awaited, port, asked.calls),
            "owray's whole invoker": partial(play, engine, port, asked.calls),
            "aiohttp, reading, row": partial(play, with_aiohttp, port, asked.calls),
            "aiohttp alone": partial(play, with_aiohttp, port, asked.calls, Tally),
        }
        if shutil.which("wrk"):
            sides["wrk (C; reads and records nothing)"] = partial(_wrk, port)
        found = interleave(sides, asked.rounds)
    rows = [(name, Spread.of(costs), ratio(costs, found[OURS])) for name, costs in found.items()]
    title = f"{asked.rounds} rounds of {asked.calls:,} calls over {CONNECTIONS} connections; median (quartiles)"
    show(title, [("client", "us of CPU a call", "times the first"), *rows])
    aiohttp, whole = found["aiohttp, reading, row"], found["owray's whole invoker"]
    print(f"  aiohttp against owray's whole invoker: {ratio(aiohttp, whole)} times")
    print(f"  aiohttp alone against the connection alone: {ratio(found['aiohttp alone'], found[BARE])} times")
    if not shutil.which("wrk"):
        print("  wrk is not on PATH and was left out.  (apt-get install wrk)")
    print(machine.line())


def _wrk(port: int) -> float:
    """Microseconds of CPU a request, by what the kernel says of the process that has ended."""
    head, body = prepared(port).of(0).decode().split("\r\n\r\n", 1)
    first, *lines = head.split("\r\n")
    settings = [f'wrk.headers["{name}"] = "{value}"' for name, value in (line.split(": ", 1) for line in lines)]
    script = "\n".join(['wrk.method = "POST"', f"wrk.body = [[{body}]]", *settings])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "post.lua"
        path.write_text(script)
        url = f"http://127.0.0.1:{port}{first.split(' ')[1]}"
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{WRK_S}s", "-s", str(path), url]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    requests = re.search(r"(\d+) requests in", answer)
    if requests is None or "Non-2xx" in answer:
        raise SystemExit(f"wrk did not get its answers:\n{answer}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s * 1e6 / int(requests[1])


if __name__ == "__main__":
    main()
