"""Requests as the command line client `wsk` sends them: its headers, its queries, its bodies with a line end."""

import json
from typing import Any

from support.api import BASE, Api, Reply

AGENT = "OpenWhisk-CLI/1.0 (2021-04-01T23:49:54.523+0000) linux amd64"


class Wsk:
    """Sends to a platform; `path` is below the namespace `_`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, path: str, query: str = "") -> Reply:
        return self._send("GET", path, None, query)

    def put(self, path: str, body: Any, *, overwrite: bool = False) -> Reply:
        return self._send("PUT", path, body, f"overwrite={str(overwrite).lower()}")

    def post(self, path: str, body: Any, query: str = "") -> Reply:
        return self._send("POST", path, body, query)

    def delete(self, path: str) -> Reply:
        return self._send("DELETE", path, None, "")

    def _send(self, method: str, path: str, body: Any, query: str) -> Reply:
        headers = {"User-Agent": AGENT, "Accept-Encoding": "gzip"}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body).encode() + b"\n"
        return self._api.request(method, f"{BASE}/{path}", body, headers, query=query)
