"""What does a call cost over TLS, and what does aiofastnet save?

The closed loop of benchmarks/wire.py over TLS 1.3, with a certificate made for the occasion by openssl.

    python -m benchmarks.tls [--rounds 5] [--calls 6000]
"""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.clients import CONNECTIONS, Tally, lean, play, with_aiohttp
from benchmarks.measure import Cores, Machine, Spread, arguments, interleave, pin, ratio, show
from benchmarks.server import serving
from owray.http1.connection import Connection, Tcp, connect

FIRST = "connection on aiofastnet"


def main() -> None:
    asked = arguments("CPU of a call over TLS.", rounds=5, calls=6_000)
    if not shutil.which("openssl"):
        raise SystemExit("openssl is not on PATH, and the server needs a certificate.  (apt-get install openssl)")
    machine, cores = Machine(), Cores.available()
    with tempfile.TemporaryDirectory() as folder:
        pem = _certificate(Path(folder))
        context = ssl.create_default_context(cafile=str(pem))
        with serving(cores.server, pem=pem) as port:
            pin(cores.client)
            sides: dict[str, Callable[[], float]] = {
                FIRST: partial(play, partial(lean, open_one=partial(_fast, context)), port, asked.calls, Tally),
                "connection on uvloop's TLS": partial(play, partial(lean, open_one=partial(_loops_own, context)), port, asked.calls, Tally),
                "aiohttp": partial(play, partial(with_aiohttp, tls=context), port, asked.calls, Tally),
            }
            found = interleave(sides, asked.rounds)
    rows = [(name, Spread.of(costs), ratio(costs, found[FIRST])) for name, costs in found.items()]
    title = (
        f"{asked.rounds} rounds of {asked.calls:,} calls over {CONNECTIONS} TLS connections, nothing read or recorded; median (quartiles)"
    )
    show(title, [("client", "us of CPU a call", "times the first"), *rows])
    print(machine.line())


async def _fast(context: ssl.SSLContext, port: int, number: int) -> Connection:
    return await connect(asyncio.get_running_loop(), Tcp("127.0.0.1", port, context), number)


async def _loops_own(context: ssl.SSLContext, port: int, number: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(lambda: Connection(number), "127.0.0.1", port, ssl=context)
    return connection


def _certificate(folder: Path) -> Path:
    """A key and a certificate of its own for 127.0.0.1, in one file."""
    pem, key = folder / "server.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *names, "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True, timeout=30)
    pem.write_text(pem.read_text() + key.read_text())
    return pem


if __name__ == "__main__":
    main()
