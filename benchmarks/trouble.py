"""Does the platform stay healthy, and its records right, under actions that misbehave?

Plays 200 calls a second for 60 s, at their times whatever becomes of them: actions that raise, exit, crash, cannot be loaded, never end,
fill their memory, flood their logs, and some that behave. Then it asks for every record by its id and compares it with what was answered
and with what the action must come to; and it looks whether the platform still serves a good call, holds no more containers than fit, and
has no traceback in its log.

    python -m benchmarks.trouble [--rps 200] [--duration 60] [--profile bench]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from cluster.openwhisk.embedded.config import PUBLIC_GUEST, PlatformConfig

MEMORY_MB = 128
"""Of each action: the least, so that many containers are there at once."""

FLOOD_LINES = 500
OVERRIDES = {"log_store": "docker-cli", "activation_store_mb": 1024}
"""So that there are logs to flood, and no record is dropped before it is looked at."""

PATIENCE_S = 300.0
"""For a call and for its record: a machine that is too slow for the rate works off what waits, and is no less right for it."""

REAPING_S = 0.5
BASE = "/api/v1/namespaces/_"
_GONE = ("command exited", "exited unexpectedly", "exhausted its memory")

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trouble:
    """An action, how often it is called in relation to the others, and what a right record of it is."""

    name: str
    weight: int
    code: str
    right: Callable[[Record], bool]
    timeout_ms: int = 10_000


def _error(record: Record) -> str:
    response = record["response"]
    return str(response["result"].get("error", "")) if isinstance(response["result"], dict) else ""


def _is(status: str, *texts: str) -> Callable[[Record], bool]:
    return lambda record: record["response"]["status"] == status and (not texts or any(text in _error(record) for text in texts))


def _out_of_time(record: Record) -> bool:
    told = {"key": "timeout", "value": True} in record["annotations"]
    return told and _is("action developer error", "exceeded its time limits")(record) and record["duration"] >= 100


def _flooded(record: Record) -> bool:
    lines = record["logs"]
    return _is("success")(record) and len(lines) == FLOOD_LINES and all(line.endswith("x" * 100) for line in lines)


DEVELOPER = "action developer error"
TROUBLES = (
    Trouble("well", 4, "def main(args):\n    return {'ok': args['n']}\n", _is("success")),
    Trouble("raises", 2, "def main(args):\n    return {'x': 1 / 0}\n", _is("application error", "division by zero")),
    Trouble("exits", 4, "import sys\ndef main(args):\n    sys.exit(3)\n", _is(DEVELOPER, *_GONE)),
    Trouble("crashes", 4, "import os\ndef main(args):\n    os.kill(os.getpid(), 11)\n", _is(DEVELOPER, *_GONE)),
    Trouble("broken", 2, "import nothing_of_this_name\ndef main(args):\n    return {}\n", _is(DEVELOPER)),
    Trouble("loops", 1, "def main(args):\n    while True:\n        pass\n", _out_of_time, 100),
    # Where nothing bounds its memory it succeeds: `unwell` knows whether it may.
    Trouble(
        "fills",
        1,
        f"def main(args):\n    return {{'ok': len(bytearray({MEMORY_MB + 32} * 2**20))}}\n",
        lambda record: _is("success")(record) or _is(DEVELOPER, "exhausted its memory")(record),
    ),
    Trouble("floods", 2, f"def main(args):\n    for _ in range({FLOOD_LINES}):\n        print('x' * 100)\n    return {{}}\n", _flooded),
)


@dataclass(slots=True)
class Finding:
    """What came of the calls of one action. `wrong` has an example of each way in which something was wrong."""

    calls: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    response_ms: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Platform:
    """Where to call, and where to look for what is left."""

    url: str
    auth: tuple[str, str]
    process_id: int
    state_dir: Path
    log: Path


class Storm:
    """Calls, then what is found. Use `play`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.findings = {trouble.name: Finding() for trouble in TROUBLES}

    async def deploy(self) -> None:
        for trouble in TROUBLES:
            body = {
                "exec": {"kind": "python:default", "code": trouble.code},
                "limits": {"memory": MEMORY_MB, "timeout": trouble.timeout_ms, "logs": 10},
            }
            async with self._session.put(f"{BASE}/actions/{trouble.name}?overwrite=true", json=body) as reply:
                reply.raise_for_status()

    async def play(self, rps: float, duration_s: float) -> None:
        """All calls, sent when they are due; returns when all are answered and their records are looked at."""
        turn = [trouble for trouble in TROUBLES for _ in range(trouble.weight)]
        began_s = time.monotonic()
        calls = []
        for number in range(int(rps * duration_s)):
            await asyncio.sleep(began_s + number / rps - time.monotonic())
            # A step that shares no factor with the length visits all of the turn, and mixes it.
            calls.append(asyncio.create_task(self._call(turn[number * 7 % len(turn)], number)))
        answered = [each for each in await asyncio.gather(*calls) if each is not None]
        many = asyncio.Semaphore(50)
        await asyncio.gather(*(self._look(many, *each) for each in answered))

    async def _call(self, trouble: Trouble, number: int) -> tuple[Trouble, str, Record | None] | None:
        finding = self.findings[trouble.name]
        finding.calls += 1
        began_s = time.monotonic()
        async with self._session.post(f"{BASE}/actions/{trouble.name}?blocking=true", json={"n": number}) as reply:
            body = await reply.json(content_type=None)
        finding.response_ms.append((time.monotonic() - began_s) * 1000)
        finding.statuses[str(reply.status)] += 1
        if "activationId" not in body:
            finding.wrong.append(f"call {number} was answered {reply.status} {json.dumps(body)[:200]}")
            return None
        return trouble, body["activationId"], None if reply.status == 202 else body

    async def _look(self, many: asyncio.Semaphore, trouble: Trouble, activation_id: str, answered: Record | None) -> None:
        async with many:
            stored = await self._stored(activation_id)
        wrong = self.findings[trouble.name].wrong
        if stored is None:
            wrong.append(f"record {activation_id} is missing")
        elif not trouble.right(stored):
            wrong.append(f"record {activation_id} is not right: {json.dumps(stored)[:400]}")
        elif answered is not None and {**stored, "logs": []} != answered:
            wrong.append(f"record {activation_id} is not what was answered: {json.dumps(answered)[:400]}")

    async def _stored(self, activation_id: str) -> Record | None:
        give_up_at_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_at_s:
            async with self._session.get(f"{BASE}/activations/{activation_id}") as reply:
                if reply.status == 200:
                    found: Record = await reply.json()
                    return found
            await asyncio.sleep(0.1)
        return None

    async def unwell(self, platform: Platform) -> list[str]:
        """What is wrong with the platform now; empty where it is healthy."""
        found = []
        for expected in ("good", "warm"):
            async with self._session.post(f"{BASE}/actions/well?blocking=true", json={"n": 0}) as reply:
                record = await reply.json()
            if reply.status != 200 or record["response"]["result"] != {"ok": 0}:
                found.append(f"a {expected} call is answered {reply.status} {json.dumps(record)[:200]}")
            await self._stored(record["activationId"])  # until its logs are read the container is busy, and the next call cold
        if any(pair["key"] == "initTime" for pair in record["annotations"]):
            found.append("a second good call in a row is cold")
        async with self._session.get("/") as reply:
            told = (await reply.json())["embedded"]
        limit, filled = told.get("memory_limit", "none"), self.findings["fills"].statuses["200"]
        if filled and limit != "none":
            found.append(f"{filled} calls had more memory than their limit, which {limit} is said to enforce")
        most = told["knobs"]["user_memory_mb"] // MEMORY_MB
        folders = len(list((platform.state_dir / "containers").iterdir()))
        if folders > most:
            found.append(f"{folders} containers have a folder, and {most} have room")
        zombies = _zombies(platform.process_id)
        await asyncio.sleep(REAPING_S)
        if still := zombies & _zombies(platform.process_id):
            found.append(f"ended processes are not reaped: {still}")
        if "Traceback" in platform.log.read_text():
            found.append(f"there is a traceback in {platform.log}")
        return found


async def play(platform: Platform, rps: float, duration_s: float) -> tuple[dict[str, Finding], list[str]]:
    """Findings by action, and what is wrong with the platform afterwards."""
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    unlimited = aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": aiohttp.encode_basic_auth(*platform.auth)}
    async with aiohttp.ClientSession(platform.url, headers=headers, timeout=timeout, connector=unlimited) as session:
        storm = Storm(session)
        await storm.deploy()
        await storm.play(rps, duration_s)
        return storm.findings, await storm.unwell(platform)


@contextmanager
def running(folder: Path, profile: str) -> Iterator[Platform]:
    """A platform of its own for as long as the block lasts."""
    config, log = folder / "config.json", folder / "platform.log"
    PlatformConfig(folder, (PUBLIC_GUEST,), profile=profile, overrides=OVERRIDES).save(config)
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "cluster.openwhisk.embedded", str(config)], stderr=output)
    try:
        listening = folder / "listening.json"
        while not listening.exists():
            if process.poll() is not None:
                raise SystemExit(f"the platform did not start:\n{log.read_text()}")
            time.sleep(0.02)
        heard = json.loads(listening.read_text())
        yield Platform(f"http://{heard['host']}:{heard['port']}", (PUBLIC_GUEST.uuid, PUBLIC_GUEST.key), process.pid, folder, log)
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description="Actions that misbehave, many of them.")
    parser.add_argument("--rps", type=float, default=200)
    parser.add_argument("--duration", type=float, default=60, help="seconds")
    parser.add_argument("--profile", default="bench")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), asked.profile) as platform:
        process = psutil.Process(platform.process_id)
        before_mb = process.memory_info().rss / 2**20
        findings, unwell = asyncio.run(play(platform, asked.rps, asked.duration))
        after_mb = process.memory_info().rss / 2**20
    for name, finding in findings.items():
        print(f"{name:<8}{_line(finding)}")
        for text in finding.wrong[:3]:
            print(f"    {text}")
    print(f"platform: {before_mb:.0f} MB before, {after_mb:.0f} MB after; {'; '.join(unwell) or 'healthy'}")
    wrong = sum(len(finding.wrong) for finding in findings.values())
    print("pass" if not wrong and not unwell else f"miss: {wrong} records are wrong")
    return 0 if not wrong and not unwell else 1


def _line(finding: Finding) -> str:
    statuses = ", ".join(f"{count} answered {status}" for status, count in sorted(finding.statuses.items()))
    times = sorted(finding.response_ms)
    spread = f"  p50 {_at(times, 0.5):.0f}, p99 {_at(times, 0.99):.0f}, at most {times[-1]:.0f} ms" if times else ""
    return f"{finding.calls:>6} calls, {finding.calls - len(finding.wrong)} right; {statuses}{spread}"


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _zombies(process_id: int) -> set[int]:
    return {child.pid for child in psutil.Process(process_id).children(recursive=True) if _is_zombie(child)}


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.exit(main())
