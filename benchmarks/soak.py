"""Does the platform's memory stay where it is?

A platform of its own, with nothing else in the way, is called evenly while its memory is looked at each second. Records fill its store
first; a straight line is fitted to what comes after the store is full, when each new record has to make room. The run passes when all
calls were answered as they should be and the line rises by less than a small object of CPython a call: then nothing is kept of a call.

    python -m benchmarks.soak [--minutes 10] [--rps 1000] [--store-mb 256]

Records of `noop` take about 1.1 KB with what belongs to them, so at 1,000 calls a second the store of the default size is full after
four minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from cluster.openwhisk.embedded.config import PUBLIC_GUEST, PlatformConfig
from owray.http1.client import exchange
from owray.http1.connection import Connection, Tcp, connect

CALLERS = 20
"""Each calls at its share of the rate, one call at a time."""

MOST_BYTES_A_CALL = 32
"""The smallest Python object but for a bare one: whoever forgets something in each call forgets more than this."""

LEAST_SAMPLES = 20
"""A line through fewer says nothing."""

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
MIB = 1024 * 1024

CODE = "def main(args):\n    return {'ok': True}\n"
CALL = "POST", "/api/v1/namespaces/_/actions/noop?blocking=true&result=true", b'{"seed": 1}'


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory at one moment: `calls` were answered by then, `dropped` records had made room."""

    at_s: float
    resident_bytes: int
    calls: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Line:
    """What memory does after the store is full."""

    samples: int
    mean_bytes: float
    bytes_a_second: float
    bytes_a_call: float


def line_through(samples: list[Sample]) -> Line | None:
    """None where the store was full for too short a time."""
    full = [sample for sample in samples if sample.dropped]
    if len(full) < LEAST_SAMPLES:
        return None
    resident = [sample.resident_bytes for sample in full]
    slope, _ = statistics.linear_regression([sample.at_s for sample in full], resident)
    rps = (full[-1].calls - full[0].calls) / (full[-1].at_s - full[0].at_s)
    return Line(len(full), statistics.fmean(resident), slope, slope / rps)


class Callers:
    """Evenly spaced calls over several connections. `answers` counts HTTP statuses."""

    def __init__(self, port: int, rps: float) -> None:
        self._port = port
        self._interval_s = CALLERS / rps
        self._call = request(*CALL)
        self.answers: Counter[int] = Counter()

    async def play(self, until_s: float) -> None:
        await asyncio.gather(*(self._one(number, until_s) for number in range(CALLERS)))

    async def _one(self, number: int, until_s: float) -> None:
        connection = await open_one(self._port, number)
        due_s = time.monotonic() + self._interval_s * number / CALLERS
        while due_s < until_s:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            self.answers[(await exchange(connection, self._call)).status] += 1
            due_s += self._interval_s
        connection.abort()


async def open_one(port: int, number: int) -> Connection:
    return await connect(asyncio.get_running_loop(), Tcp("127.0.0.1", port), number)


def request(method: str, path: str, body: bytes) -> bytes:
    key = base64.b64encode(f"{PUBLIC_GUEST.uuid}:{PUBLIC_GUEST.key}".encode()).decode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {key}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def soak(port: int, pid: int, rps: float, seconds: float) -> tuple[list[Sample], Counter[int]]:
    asking = await open_one(port, CALLERS)
    body = json.dumps({"exec": {"kind": "python:default", "code": CODE}}).encode()
    put = await exchange(asking, request("PUT", "/api/v1/namespaces/_/actions/noop?overwrite=true", body))
    if put.status != 200:
        raise SystemExit(f"the action could not be made: {put.body.decode()}")
    begun_s = time.monotonic()
    callers = Callers(port, rps)
    playing = asyncio.create_task(callers.play(begun_s + seconds))
    platform = psutil.Process(pid)
    samples: list[Sample] = []
    while not playing.done():
        await asyncio.wait([playing], timeout=1.0)
        metrics = (await exchange(asking, request("GET", "/metrics", b""))).body.decode()
        dropped = int(float(metrics.partition("\nowray_activation_records_dropped_total ")[2].split()[0]))
        samples.append(Sample(time.monotonic() - begun_s, platform.memory_info().rss, callers.answers.total(), dropped))
        if len(samples) % 10 == 0:
            last = samples[-1]
            print(
                f"{last.at_s:6.0f} s  {last.resident_bytes / MIB:8.1f} MB  {last.calls:10,} calls  {last.dropped:10,} dropped", flush=True
            )
    asking.abort()
    await playing
    return samples, callers.answers


@contextlib.contextmanager
def platform(store_mb: int) -> Iterator[tuple[int, int]]:
    """A platform with the limits out of the way; its port and process id."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        listening = Path(folder) / "listening.json"
        PlatformConfig(state_dir=Path(folder), users=(PUBLIC_GUEST,), overrides={"activation_store_mb": store_mb}).save(config)
        process = subprocess.Popen([sys.executable, "-m", "cluster.openwhisk.embedded", str(config)])
        try:
            give_up_s = time.monotonic() + START_TIMEOUT_S
            while not listening.exists():
                if process.poll() is not None or time.monotonic() > give_up_s:
                    raise SystemExit("the platform did not start; its log stands above")
                time.sleep(0.05)
            yield json.loads(listening.read_text())["port"], process.pid
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)


def main() -> int:
    parser = argparse.ArgumentParser(description="Whether the platform's memory stays where it is.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rps", type=float, default=1000)
    parser.add_argument("--store-mb", type=int, default=256)
    asked = parser.parse_args()
    with platform(asked.store_mb) as (port, pid):
        samples, answers = uvloop.run(soak(port, pid, asked.rps, asked.minutes * 60))
    line = line_through(samples)
    print(f"{answers.total():,} calls in {samples[-1].at_s:.0f} s, answered {dict(answers)}")
    if line is None:
        print(f"no verdict: the store was not full for {LEAST_SAMPLES} s; play longer, or take a smaller one (--store-mb)")
        return 2
    print(
        f"store full for {line.samples} s: {line.mean_bytes / MIB:.1f} MB on average, "
        f"{line.bytes_a_second * 3600 / MIB:+.1f} MB an hour, {line.bytes_a_call:+.1f} bytes a call (at most {MOST_BYTES_A_CALL})"
    )
    passed = line.bytes_a_call <= MOST_BYTES_A_CALL and set(answers) == {200}
    print("pass" if passed else "fail")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
