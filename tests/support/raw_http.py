"""Requests as bytes, for what no well-behaved client would send."""

import base64
import http.client
import socket
from urllib.parse import urlsplit

from support.api import PATIENCE_S, Api, Reply


def connect(api: Api) -> socket.socket:
    address = urlsplit(api.platform.target.api_host)
    return socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S)


def head(api: Api, method: str, path: str | bytes, *lines: str | bytes, auth: bool = True) -> bytes:
    """A request's head, with Host and, unless `auth` says no, the key."""
    parts = [b"%s %s HTTP/1.1" % (method.encode(), path if isinstance(path, bytes) else path.encode())]
    parts.append(b"Host: " + urlsplit(api.platform.target.api_host).netloc.encode())
    if auth:
        parts.append(b"Authorization: Basic " + base64.b64encode(api.auth.encode()))
    parts += [line if isinstance(line, bytes) else line.encode() for line in lines]
    return b"\r\n".join(parts) + b"\r\n\r\n"


def answer(connection: socket.socket, method: str = "GET") -> Reply:
    """The next reply on a connection."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    if response.will_close:  # as one of HTTP/1.0 does without saying so
        headers["connection"] = "close"
    return Reply(response.status, headers, response.read())


def raw(api: Api, data: bytes, method: str = "GET") -> Reply:
    """The reply to some bytes on a connection of their own."""
    with connect(api) as connection:
        connection.sendall(data)
        return answer(connection, method)
