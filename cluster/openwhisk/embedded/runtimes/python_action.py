"""The Python runtime: the HTTP server in a container that answers /init once and /run from then on.

A blocking loop over one connection at a time, with nothing between a request and the action but what the protocol asks for: about
20 us of CPU a run. What an action does wrong is answered as the real runtime does it:

    the action                                        answer                                                   then
    raises an Exception                               200 {"error": "<text>"}, traceback on stderr             stays
    returns None                                      200 null (the platform does not accept it)               stays
    returns a number or a string                      502 "did not return a dictionary or array"               stays
    calls sys.exit, or returns what is not JSON       400 "command exited"                                     ends
    does not load, or has no such main                502 at /init, details on stderr                          stays
    is initialised a second time                      403                                                      stays
    has no memory left, under RLIMIT_DATA             none                                                     ends (OUT_OF_MEMORY_STATUS)

Standard library only, CPython 3.9 and later.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import importlib
import io
import json
import os
import resource
import socket
import sys
import traceback
import types
import zipfile
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SENTINEL = b"XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n"
STDOUT, STDERR = 1, 2

OUT_OF_MEMORY_STATUS = 83
"""The exit status that says why, where the limit is the process's own. A control group needs none: there the kernel kills and counts."""

CANNOT_START = "Cannot start action. Check logs for details."
NO_BINARY = "The action failed to generate or locate a binary. See logs for details."

FIRST_BYTES = 16384
"""Room for a head and a small body. Much more, and malloc maps fresh pages for each request."""

NULL = b"null\n"

REHEARSAL = """
from __future__ import annotations

import itertools
import os
import platform
import time
import zlib

CONTAINER = os.urandom(8).hex()
CALLS = itertools.count(1)

def main(args: dict) -> dict:
    started = time.perf_counter_ns()
    checksum = f"{zlib.crc32(b'%d' % args['seed']):08x}"
    times = {"total": (time.perf_counter_ns() - started) // 1000}
    return {"checksum": checksum, "ok": True, "t": times, "c": CONTAINER, "k": next(CALLS), "py": platform.python_version()}
"""
"""An action such as most are, for `rehearse`."""

PRELOADED = frozenset(
    ("bisect", "collections", "hashlib", "heapq", "itertools", "math", "platform", "random", "re", "string", "struct", "zlib")
)
"""What actions import most. A fork has it for nothing; imported by each container it took longer than all the rest of a start."""

_libc = ctypes.CDLL(None)

Reply = tuple[int, bytes]


class CommandExited(Exception):
    """The action has ended its process, or done what ends it in the real runtime."""


class NotLoaded(Exception):
    """The action's code cannot be used. The text is what the client is told; its cause is for the logs."""


class Runtime:
    """The action of this container, `main`, once it is initialised."""

    def __init__(self, main: Callable[[Any], Any] | None = None) -> None:
        self._main = main
        self._is_heard = os.fstat(STDOUT).st_rdev != os.stat(os.devnull).st_rdev  # noqa: PTH116 - pathlib takes a millisecond to import
        self._environment: dict[str, Variable] = {}

    def init(self, value: dict[str, Any]) -> Reply:
        if self._main is not None:
            return _error(403, "Cannot initialize the action more than once.")
        if not value.get("code"):
            return _error(403, "Missing main/no code to execute.")
        try:
            os.environ.update(value.get("env") or {})
            self._main = _load(value["code"], value.get("binary") or False, value.get("main") or "main")
        except (NotLoaded, ValueError) as error:  # the latter of a variable's name or value that cannot be one
            traceback.print_exc()
            self.end_logs()
            return _error(502, str(error) if isinstance(error, NotLoaded) else CANNOT_START)
        return 200, b'{"ok":true}\n'

    def run(self, request: dict[str, Any]) -> Reply:
        if self._main is None:
            return _error(500, "Cannot run an action that was not initialized.")
        arguments = request.pop("value", None)
        self._refresh(request)
        try:
            result = self._main({} if arguments is None else arguments)
        except Exception as error:  # noqa: BLE001 - an action may raise anything
            _end_if_exhausted(error)
            traceback.print_exc()
            result = {"error": str(error)}
        except BaseException as error:
            raise CommandExited from error
        try:
            text = json.dumps(result, ensure_ascii=False).encode()
        except Exception as error:
            _end_if_exhausted(error)
            raise CommandExited from error
        if text[0] not in b"{[" and result is not None:
            return _error(502, "The action did not return a dictionary or array.")
        return 200, text + b"\n"

    def flush(self) -> None:
        """Hand on what was printed, unless nobody hears it. An action may have put anything in the place of the streams."""
        if self._is_heard:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()

    def end_logs(self) -> None:
        """Both streams are complete. An action may have closed or replaced them: then there is nothing to complete."""
        if not self._is_heard:
            return
        self.flush()
        try:
            os.write(STDOUT, SENTINEL)
            os.write(STDERR, SENTINEL)
        except OSError:
            pass

    def _refresh(self, request: dict[str, Any]) -> None:
        """Every key but `value` is an environment variable; most are the same as before."""
        for key, value in request.items():
            variable = self._environment.get(key)
            if variable is None:
                variable = self._environment[key] = Variable("__OW_" + key.upper())
            if variable.value != value:
                variable.set(value)


class Variable:
    """An environment variable that changes with every run.

    `os.environ[name] = value` is setenv of the C library, and glibc before 2.41 keeps every string it was ever given: some 100 bytes a run
    that never come back. Here the library is given one buffer by putenv, and the buffer changes.
    """

    def __init__(self, name: str) -> None:
        self.value: str | None = None
        self._name = name.encode()
        self._buffer = ctypes.create_string_buffer(0)

    def set(self, value: str) -> None:
        self.value = value
        encoded = value.encode("utf-8", "surrogateescape")
        text = b"%b=%b" % (self._name, encoded)
        if len(text) < len(self._buffer):
            self._buffer.value = text
        else:
            buffer = ctypes.create_string_buffer(text, 2 * len(text))
            _libc.putenv(buffer)
            self._buffer = buffer  # only now may the old one go
        os.environ._data[self._name] = encoded  # type: ignore[attr-defined]  # noqa: SLF001 - what os.environ[...] = does beside setenv


def _load(code: str, binary: bool, main: str) -> Callable[[Any], Any]:
    """The function to call. Raises NotLoaded."""
    try:
        name = "__main__.py" if binary else "main__.py"
        source = _unpack(code) if binary else code
        if not binary:
            with open(name, "w", encoding="utf-8") as file:  # noqa: PTH123 - tracebacks show these lines
                file.write(source)
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - pathlib takes a millisecond to import
        if binary:
            _forget_shadowed()
        module = types.ModuleType("main__")
        module.__file__ = name
        sys.modules["main__"] = module
        exec(compile(source, name, "exec"), module.__dict__)  # noqa: S102 - that is what an action is
        function: Callable[[Any], Any] | None = module.__dict__.get(main)
        if not callable(function):
            raise TypeError(f"the action has no function '{main}'")
    except NotLoaded:
        raise
    except BaseException as error:
        _end_if_exhausted(error)
        raise NotLoaded(CANNOT_START) from error
    return function


def _forget_shadowed() -> None:
    """An archive may have a module of a name that is loaded already; a fresh interpreter would find the archive's first."""
    names = {name.partition(".")[0] for name in os.listdir()}  # noqa: PTH208 - pathlib takes a millisecond to import
    for name in names & PRELOADED:
        sys.modules.pop(name, None)


def _unpack(code: str) -> str:
    """Put a zip archive into the working directory, with its virtualenv in use; the source of its `__main__.py`."""
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(code))) as archive:
        for entry in archive.infolist():
            path = archive.extract(entry)
            permissions = entry.external_attr >> 16 & 0o777
            if permissions:  # not there in an archive that was made on a system without them
                os.chmod(path, permissions | 0o700)  # noqa: PTH101
        if "__main__.py" not in archive.namelist():
            raise NotLoaded(NO_BINARY)
        source = archive.read("__main__.py").decode("utf-8")
    if os.path.isdir("virtualenv"):  # noqa: PTH112
        _activate("virtualenv/bin/activate_this.py")
    return source


def _activate(script: str) -> None:
    """Have the packages of a virtualenv on the path, which its own script does."""
    try:
        with open(script, encoding="utf-8") as file:  # noqa: PTH123
            source = file.read()
    except FileNotFoundError as error:
        raise ImportError(f"the archive has a virtualenv without {script}") from error
    exec(compile(source, script, "exec"), {"__file__": script, "__name__": "__main__"})  # noqa: S102 - so does the real runtime


def _end_if_exhausted(error: BaseException) -> None:
    """End the process where memory ran out for good: under a limit of its own, which only the process itself can tell of."""
    if isinstance(error, MemoryError) and resource.getrlimit(resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY:
        os._exit(OUT_OF_MEMORY_STATUS)


def _error(status: int, text: str) -> Reply:
    return status, json.dumps({"error": text}).encode() + b"\n"


class Requests:
    """The requests of one connection, one after another."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""

    def next(self) -> tuple[bytes, bytes] | None:
        """(path, body) of the next POST, or None when the peer has gone."""
        received = self._received
        while True:
            head, end, rest = received.partition(b"\r\n\r\n")
            if end:
                break
            data = self._connection.recv(FIRST_BYTES)
            if not data:
                return None
            received += data
        path, length = _parse_head(head)
        if len(rest) < length:
            rest = self._rest(rest, length)
        self._received = rest[length:]
        return path, rest[:length]

    def answer(self, status: int, body: bytes) -> None:
        head = b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self._connection.sendall(head + body)

    def _rest(self, received: bytes, length: int) -> bytes:
        parts = [received]
        missing = length - len(received)
        while missing > 0:
            data = self._connection.recv(1048576)
            if not data:
                raise ConnectionError("the request ended before its length")
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)


@lru_cache(maxsize=64)
def _parse_head(head: bytes) -> tuple[bytes, int]:
    """Path and length of the body. The heads of one platform differ in the length only, and that seldom."""
    line, *fields = head.split(b"\r\n")
    lengths = [int(field.partition(b":")[2]) for field in fields if field.lower().startswith(b"content-length:")]
    return line.split(b" ", 2)[1], lengths[0] if lengths else 0


def preload() -> None:
    for name in PRELOADED:
        importlib.import_module(name)


def rehearse() -> None:
    """Carry out an activation that nobody asked for.

    A forked process shares its parent's memory until it writes to it, and copies it page by page then. After this, what an activation
    writes to is its own.
    """
    module = types.ModuleType("rehearsal")
    exec(compile(REHEARSAL, "main.py", "exec"), module.__dict__)  # noqa: S102 - it stands above
    _open_streams()
    runtime = Runtime(module.__dict__["main"])
    for activation_id in ("first", "second"):
        names = ("namespace", "action_name", "action_version", "transaction_id", "deadline")
        runtime.run(json.loads(json.dumps({"value": {"seed": 1}, "activation_id": activation_id, **dict.fromkeys(names, "")})))
    os.environ.clear()  # before the runtime goes, whose buffers are in it


def _open_streams() -> None:
    """Open them afresh: what the parent had open was a stream of the parent's, with its buffering."""
    sys.stdout = open(STDOUT, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(STDERR, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


def serve(listener: socket.socket) -> None:
    """Answer until the process is killed."""
    _open_streams()
    runtime = Runtime()
    while True:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(ConnectionError):
            try:
                _converse(runtime, Requests(connection))
            except MemoryError as error:  # while a request was read
                _end_if_exhausted(error)
                raise


def _converse(runtime: Runtime, requests: Requests) -> None:
    while True:
        request = requests.next()
        if request is None:
            return
        path, body = request
        try:
            status, answer = _carried_out(runtime, path, body)
        except CommandExited:
            traceback.print_exc()
            runtime.flush()
            requests.answer(*_error(400, "command exited"))
            runtime.end_logs()
            os._exit(1)
        if status != 200 or answer == NULL:
            runtime.flush()  # after a failure no sentinel is waited for: what was printed must be there with the answer
        requests.answer(status, answer)
        if path == b"/run":
            # After the answer, so that nobody waits for it: the platform has the logs to wait for, if it wants them.
            runtime.end_logs()


def _carried_out(runtime: Runtime, path: bytes, body: bytes) -> Reply:
    """Raises CommandExited, also for a body that this interpreter cannot read (an integer of more digits than it takes, say)."""
    if path not in {b"/run", b"/init"}:
        return _error(404, "There are /init and /run.")
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise CommandExited from error
    return runtime.run(request) if path == b"/run" else runtime.init(request["value"])


if __name__ == "__main__":  # an interpreter other than the zygote's; its listening socket is where the zygote puts it
    serve(socket.socket(fileno=3))
