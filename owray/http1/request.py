"""Requests as bytes, made once and sent many times."""

from __future__ import annotations

from collections.abc import Mapping


def render(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """One whole request, with its Content-Length.

    Raises ValueError where a header or the path would break out of its line.
    """
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), f"Content-Length: {len(body)}"]
    if any("\r" in line or "\n" in line for line in lines) or " " in path:
        raise ValueError(f"a line break or a space where HTTP allows none: {method} {path!r}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
