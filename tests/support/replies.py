"""Bodies as OpenWhisk sends them: activation records and refusals, in their real shapes."""

import json
from typing import Any

CHECKSUM = "5eed0f7e57ca11ed"
ACTIVATION_ID = "c1f0b0d4a2c84f0a8b1d6f0e2a3b4c5d"
CONTAINER = "0123456789abcdef"

RATE_429 = "Too many requests in the last minute (count: 61, allowed: 60)."
CONCURRENCY_429 = "Too many concurrent requests in flight (count: 31, allowed: 30)."
OVERLOADED_503 = "The server is currently unavailable (because it is overloaded or down for maintenance)."
LATE_503 = "The server was not able to produce a timely response to your request.\r\nPlease try again in a short while!"
NGINX_HTML = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n"
    "<center><h1>{0}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>"
)
"""With the status and its phrase put in."""


def report(checksum: str = CHECKSUM, *, served: int = 1, container: str = CONTAINER) -> dict[str, Any]:
    """What a self-checking action answers."""
    times = {"gen": 11, "compute": 2200, "io": 0, "total": 2211}
    return {"checksum": checksum, "ok": True, "t": times, "n": 5, "c": container, "boot": 1700000000000, "k": served, "py": "3.11.7"}


def record(
    result: object = None,
    *,
    status: str = "success",
    activation_id: str = ACTIVATION_ID,
    wait_ms: int | None = 3,
    init_ms: int | None = None,
    duration_ms: int = 26,
    start_ms: int = 1700000001234,
    timeout: bool = False,
) -> dict[str, Any]:
    """An activation record as a blocking call receives it: no logs yet, annotations in no particular order."""
    result = report() if result is None else result
    annotations: list[dict[str, Any]] = [
        {"key": "limits", "value": {"concurrency": 1, "logs": 10, "memory": 256, "timeout": 60000}},
        {"key": "path", "value": "guest/align"},
        {"key": "kind", "value": "python:3.11"},
        {"key": "timeout", "value": timeout},
    ]
    if init_ms is not None:
        annotations.append({"key": "initTime", "value": init_ms})
    if wait_ms is not None:
        annotations.append({"key": "waitTime", "value": wait_ms})
    return {
        "namespace": "guest",
        "name": "align",
        "version": "0.0.1",
        "subject": "guest",
        "activationId": activation_id,
        "start": start_ms,
        "end": start_ms + duration_ms,
        "duration": duration_ms,
        "response": {
            "status": status,
            "success": status == "success",
            "result": result,
            "size": len(json.dumps(result)),
        },
        "logs": [],
        "publish": False,
        "annotations": annotations,
    }


def refusal(text: str, transaction: str = "kZ8mYtq1uYc2PZ4bK6Zr0yE8o1vPjF2d") -> dict[str, Any]:
    return {"error": text, "code": transaction}


def encode(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
