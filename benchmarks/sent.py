"""Has the kernel the bytes when `transport.write` returns?

Over 64 connections, written to one after another within one turn of the loop, with some work after each write: is there anything to read
at the other end at once, and if not, how much later? uvloop 0.23 and later against 0.22.1, which gathered writes until the turn's end.
The older one is installed into a temporary folder by uv, from the package index; each side runs in a process of its own.

    python -m benchmarks.sent [--rounds 5] [--turns 50]
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import uvloop

from benchmarks.measure import Cores, Machine, Spread, arguments, interleave, pin, show

OLDER = "uvloop==0.22.1"
CONNECTIONS = 64
WORK_NS = 5_000
PLAYER = "--play"


@dataclass(frozen=True, slots=True)
class Sent:
    """Of one round: the share of writes that were in the kernel on return, and how late the others were, in microseconds."""

    at_once: float
    late_p50_us: float
    late_p99_us: float


def main() -> None:
    asked = arguments("Whether a write is in the kernel when it returns.", rounds=5, turns=50)
    machine = Machine()
    pin(Cores.available().client)
    with tempfile.TemporaryDirectory() as folder:
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable, "--target", folder, OLDER]
        if subprocess.run(install, check=False).returncode:
            raise SystemExit(f"{OLDER} could not be installed, so there is nothing to compare with.")
        sides = {f"uvloop {version('uvloop')}": partial(_apart, asked.turns), OLDER: partial(_apart, asked.turns, folder)}
        found = interleave(sides, asked.rounds)
    rows = [
        (
            name,
            f"{Spread.of(one.at_once for one in rounds).median:.0%}",
            Spread.of(one.late_p50_us for one in rounds),
            Spread.of(one.late_p99_us for one in rounds),
        )
        for name, rounds in found.items()
    ]
    title = f"{asked.rounds} rounds of {asked.turns} turns with {CONNECTIONS} writes each; median (quartiles)"
    show(title, [("loop", "in the kernel on return", "late p50 us", "late p99 us"), *rows])
    print(machine.line())


def _apart(turns: int, folder: str = "") -> Sent:
    """One round in a process of its own, which finds what is in `folder` first."""
    path = os.pathsep.join(filter(None, [folder, str(Path(__file__).resolve().parent.parent)]))
    command = [sys.executable, "-m", "benchmarks.sent", PLAYER, str(turns)]
    answer = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True, timeout=60)
    return Sent(**json.loads(answer.stdout))


async def _round(turns: int) -> Sent:
    loop = asyncio.get_running_loop()
    pairs = [socket.socketpair() for _ in range(CONNECTIONS)]
    transports = [(await loop.create_connection(asyncio.Protocol, sock=ours))[0] for ours, _ in pairs]
    late_us: list[float] = []
    at_once = 0
    for _ in range(turns):
        unseen: dict[socket.socket, int] = {}
        for transport, (_, theirs) in zip(transports, pairs, strict=True):
            written_ns = time.monotonic_ns()
            transport.write(b"x" * 300)
            if _readable(theirs):
                at_once += 1
                late_us.append(0.0)
            else:
                unseen[theirs] = written_ns
            _work()
        await asyncio.sleep(0)
        while unseen:
            now_ns = time.monotonic_ns()
            arrived = [one for one in unseen if _readable(one)]
            late_us.extend((now_ns - unseen.pop(one)) / 1000 for one in arrived)
            await asyncio.sleep(0)
        for _, theirs in pairs:
            theirs.recv(4096)
    for transport, (_, theirs) in zip(transports, pairs, strict=True):
        transport.abort()
        theirs.close()
    hundredths = statistics.quantiles(late_us, n=100, method="inclusive")
    return Sent(at_once / len(late_us), hundredths[49], hundredths[98])


def _readable(end: socket.socket) -> bool:
    return bool(select.select([end], [], [], 0)[0])


def _work() -> None:
    until_ns = time.monotonic_ns() + WORK_NS
    while time.monotonic_ns() < until_ns:
        pass


if __name__ == "__main__":
    if sys.argv[1:2] == [PLAYER]:
        print(json.dumps(asdict(uvloop.run(_round(int(sys.argv[2]))))))
    else:
        main()
