"""A client of the embedded platform that shows everything a reply has."""

import base64
import contextlib
import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psutil
from support.platform import RunningPlatform, running_platform

T = TypeVar("T")
BASE = "/api/v1/namespaces/_"
PATIENCE_S = 60
"""For what must happen; how long it takes is nobody's business here."""

GATED = """
import os, time
def main(args):
    open(f"{args['gate']}.{os.getpid()}", "w").close()
    while not os.path.exists(args["gate"]):
        time.sleep(0.005)
    return {"pid": os.getpid()}
"""
"""An action that is done when the file `gate` is there: tests say when, and need no guess of how long anything takes.

A file `gate.PID` beside it says that it has begun.
"""

WHO = "import os\ndef main(args):\n    return {'pid': os.getpid()}\n"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])

    @property
    def result(self) -> Any:
        return self.json["response"]["result"]

    def annotation(self, key: str) -> Any:
        return annotation(self.json, key)

    @property
    def cold(self) -> bool:
        return self.annotation("initTime") is not None


def annotation(record: Mapping[str, Any], key: str) -> Any:
    return next((pair["value"] for pair in record["annotations"] if pair["key"] == key), None)


class Api:
    """A connection per thread; no retries, no redirects, nothing added."""

    def __init__(self, platform: RunningPlatform, namespace: str | None = None) -> None:
        """As the user of that namespace; None: the platform's first."""
        self.platform = platform
        user = next(user for user in platform.users if namespace in (None, user.namespace))
        self.auth = f"{user.uuid}:{user.key}"
        self._address = urlsplit(platform.target.api_host).netloc
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        self._threads = ThreadPoolExecutor(64)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        auth: str | None = "own",
        query: str = "",
    ) -> Reply:
        """`body` goes as it is if it is bytes or an iterator (then chunked), and as JSON if it is anything else but None."""
        sent = dict(headers or {})
        if isinstance(body, dict | list | str):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        if auth is not None:
            credentials = self.auth if auth == "own" else auth
            sent.setdefault("Authorization", "Basic " + base64.b64encode(credentials.encode()).decode())
        connection = self._connection()
        connection.request(method, path + (f"?{query}" if query else ""), body, sent, encode_chunked=isinstance(body, Iterator))
        response = connection.getresponse()
        return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    def action(self, name: str, code: str, *, kind: str = "python:default", **fields: Any) -> Reply:
        """PUT with overwrite; the reply must be 200."""
        body = {"exec": {"kind": kind, "code": code}} | fields
        reply = self.request("PUT", f"{BASE}/actions/{name}", body, query="overwrite=true")
        assert reply.status == 200, reply.body
        return reply

    def invoke(self, name: str, payload: Any = None, query: str = "blocking=true") -> Reply:
        return self.request("POST", f"{BASE}/actions/{name}", payload, query=query)

    def start(self, name: str, payload: Any = None, query: str = "blocking=true") -> Future[Reply]:
        """`invoke` in a thread of its own."""
        return self._threads.submit(self.invoke, name, payload, query)

    def record(self, activation_id: str) -> Any:
        """The stored record, waited for."""
        return eventually(
            lambda: found.json if (found := self.request("GET", f"{BASE}/activations/{activation_id}")).status == 200 else None
        )

    def processes(self) -> list[psutil.Process]:
        """The platform and all that descends from it."""
        platform = psutil.Process(self.platform.pid)
        return [platform, *platform.children(recursive=True)]

    def close(self) -> None:
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection(self._address, timeout=PATIENCE_S)
            self._connections.append(connection)
        assert isinstance(connection, http.client.HTTPConnection)
        if connection.sock is not None and _readable(
            connection.sock
        ):  # the platform has closed it: this thread had nothing to ask for 70 s
            connection.close()  # and the next request opens it
        return connection


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def eventually(look: Callable[[], T | None]) -> T:
    """What `look` sees as soon as it sees something."""
    give_up_at = time.monotonic() + PATIENCE_S
    while (seen := look()) is None or seen is False:
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.005)
    return seen


@contextlib.contextmanager
def serving(folder: Path, profile: str = "bench", **overrides: Any) -> Iterator[Api]:
    with running_platform(folder, profile=profile, **overrides) as platform:
        api = Api(platform)
        try:
            yield api
        finally:
            api.close()
