"""HTTP in and out: aiohttp's server below, the API above.

The low-level server without an application: no router, no middlewares, no signals. Of the 60 us that aiohttp takes for a request and
its response, 20 go into building headers that here are the same each time; so a response is written as bytes that are put together once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import HttpProcessingError

from cluster.openwhisk.embedded.answers import JSON, MALFORMED_BODY, NO_ROUTE, SERVER_ERROR, Answer, Refused, rejection, text_answer
from cluster.openwhisk.embedded.auth import Authentication
from cluster.openwhisk.embedded.calls import Call, Handler, OpenCall, OpenHandler
from cluster.openwhisk.embedded.clock import Clock
from cluster.openwhisk.embedded.config import Knobs
from cluster.openwhisk.embedded.counters import Counters
from cluster.openwhisk.embedded.ids import transaction_id
from cluster.openwhisk.embedded.routes import Place, Route, parse

CORS = (
    b"Access-Control-Allow-Origin: *\r\n"
    b"Access-Control-Allow-Headers: Authorization, Origin, X-Requested-With, Content-Type, Accept, User-Agent\r\n"
    b"Access-Control-Allow-Methods: GET, DELETE, POST, PUT, HEAD\r\n"
)
TRANSACTION_HEADER = "X-Request-ID"

UNTIMELY = "The server was not able to produce a timely response to your request.\r\nPlease try again in a short while!"
UNTIMELY_BODY = "The request's body did not arrive in time."
UNACCEPTABLE = "Resource representation is only available with these types:\napplication/json"

_log = logging.getLogger(__name__)


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether the fault is the platform's: of what is no HTTP the client hears, and nobody needs a traceback."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError | web.RequestPayloadError)


server_log = logging.getLogger(f"{__name__}.server")
"""For the server below."""
server_log.addFilter(_is_ours)

PublicHandler = Callable[[], Awaitable[Answer]]


class Written(web.StreamResponse):
    """A response that is complete as it stands: one write, no preparation.

    The constructor below it is not called: it makes room for headers, cookies and state, of which this has none. What the server asks of
    a response is here.
    """

    def __init__(self, data: bytes, *, keep_alive: bool) -> None:
        self._data = data
        self._stays = keep_alive

    @property
    def keep_alive(self) -> bool | None:
        return self._stays

    async def prepare(self, request: web.BaseRequest) -> None:
        if request.transport is not None:
            request.transport.write(self._data)

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""


class Front:
    """Finds the handler of a request and writes its answer. `hosts` are the Host headers that are meant for this platform."""

    def __init__(
        self,
        authentication: Authentication,
        public: Mapping[Place, PublicHandler],
        handlers: Mapping[tuple[Place, str], Handler],
        open_handlers: Mapping[Place, OpenHandler],
        counters: Counters,
        clock: Clock,
        knobs: Knobs,
    ) -> None:
        self._authentication = authentication
        self._public = public
        self._handlers = handlers
        self._open_handlers = open_handlers
        self._counters = counters
        self._clock = clock
        self._body_timeout_s = knobs.body_timeout_ms / 1000
        self._request_timeout_s = knobs.request_timeout_ms / 1000
        # Nothing that a handler does takes long but the wait for an activation, which has a limit of its own: no timer for each request
        # then, unless that limit is the greater one.
        self._may_be_late = knobs.blocking_wait_ms >= knobs.request_timeout_ms
        self._second = 0
        self._date = b""
        self.hosts: frozenset[str] = frozenset()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        seen_ms = self._clock.controller_ms()
        transaction = transaction_id(request.headers.get(TRANSACTION_HEADER))
        try:
            answer = await self._answer(request, transaction, seen_ms)
        except Refused as refused:
            answer = refused.answer(transaction)
        except web.HTTPRequestEntityTooLarge as error:
            answer = text_answer(error.text or "Request Entity Too Large", 413)
        except (web.RequestPayloadError, HttpProcessingError) as error:
            answer = text_answer(f"The request's body is not HTTP: {error}", 400)
        except RecursionError:
            answer = rejection(400, f"{MALFORMED_BODY}JSON that is nested too deeply").answer(transaction)
        except ConnectionError:
            raise
        except Exception:  # noqa: BLE001 - a defect of a handler is logged, and answered as the framework does
            _log.exception("%s %s (transaction %s)", request.method, request.raw_path, transaction)
            answer = text_answer(SERVER_ERROR, 500)
        return self._written(request, answer, transaction)

    async def _answer(self, request: web.BaseRequest, transaction: str, seen_ms: int) -> Answer:
        headers = request.headers
        if headers.get("Host") not in self.hosts:
            raise rejection(403, f"This platform serves its own machine only, not the host '{headers.get('Host')}'.")
        content = request.content
        # A small body has come with its head: then there is nothing to wait for.
        body = content.read_nowait() if content.is_eof() else await self._arriving(request)
        if body is None:
            return text_answer(UNTIMELY_BODY, 408)
        route = parse(request.raw_path)
        origin = headers.get("Origin")
        if origin is not None and route.place != "web" and not _is_of_this_machine(origin):
            raise rejection(403, f"This platform serves its own machine only, not pages of '{origin}'.")
        if request.method == "OPTIONS" and route.place != "web":
            return text_answer("OK", cors=True)
        if request.method == "GET" and route.place in self._public:
            return await self._public[route.place]()
        open_handler = self._open_handlers.get(route.place)
        if open_handler is not None:
            named = headers.get("Authorization")
            somebody = self._authentication.user(named) if named else None
            opened = open_handler(OpenCall(somebody, request.method, route, headers, body, transaction, seen_ms))
            return await (self._timely(opened) if self._may_be_late else opened)
        if not route.under_api:
            raise rejection(405, f"HTTP method not allowed, supported methods: {_other_method(request.method, route)}")
        user = self._authentication.user(headers.get("Authorization"))
        handler = self._handlers.get((route.place, request.method))
        if handler is None:
            raise rejection(404, NO_ROUTE)
        handled = handler(Call(user, route, headers, body, transaction, seen_ms))
        return await (self._timely(handled) if self._may_be_late else handled)

    async def _arriving(self, request: web.BaseRequest) -> bytes | None:
        """A body that is not all there yet; None for one that takes too long."""
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async with asyncio.timeout(self._body_timeout_s):
                return await request.read()
        except TimeoutError:
            return None

    async def _timely(self, handled: Awaitable[Answer]) -> Answer:
        """The answer of a handler, or the plain 503 of one that is not there in time; what was begun goes on."""
        limit = asyncio.timeout(self._request_timeout_s)
        try:
            async with limit:
                return await handled
        except TimeoutError:
            if limit.expired():
                return text_answer(UNTIMELY, 503)
            raise

    def _written(self, request: web.BaseRequest, answer: Answer, transaction: str) -> Written:
        accepted = request.headers.get("Accept")
        if accepted is not None and answer.content_type == JSON and answer.status < 300 and not _accepts_json(accepted):
            answer = rejection(406, UNACCEPTABLE).answer(transaction)
        self._counters.statuses[answer.status] += 1
        # After a body that did not come, what comes next may be the rest of it.
        keep_alive = request.keep_alive and answer.status != 408
        connection = ("" if request.version >= HttpVersion11 else "Connection: keep-alive\r\n") if keep_alive else "Connection: close\r\n"
        named = "".join([f"{name}: {value}\r\n" for name, value in answer.headers])
        length = "" if answer.status == 204 else f"Content-Length: {len(answer.body)}\r\n"
        varying = f"{length}{TRANSACTION_HEADER}: {transaction}\r\n{named}{connection}\r\n"
        head = _constant(answer.status, answer.content_type, answer.cors) + self._date_line() + varying.encode("utf-8", "surrogateescape")
        return Written(head if request.method == "HEAD" else head + answer.body, keep_alive=keep_alive)

    def _date_line(self) -> bytes:
        """The one hint that a client has of the platform's clock."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._date = f"Date: {formatdate(second, usegmt=True)}\r\n".encode()
        return self._date


@lru_cache(maxsize=64)
def _constant(status: int, content_type: str, cors: bool) -> bytes:
    """The part of a head that is the same for all answers of a sort."""
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nServer: owray-embedded-openwhisk\r\n"
    typed = f"{line}Content-Type: {content_type}\r\n" if content_type and status != 204 else line
    return typed.encode() + (CORS if cors else b"")


@lru_cache(maxsize=64)
def _accepts_json(accepted: str) -> bool:
    """Whether an Accept header admits JSON. How much it likes it makes no difference, but for not at all."""
    for entry in accepted.lower().split(","):
        media, *parameters = (part.strip() for part in entry.split(";"))
        if media in ("*/*", "application/*", JSON) and not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters):
            return True
    return not accepted.strip()


def _is_of_this_machine(origin: str) -> bool:
    """Whether a page that asks by way of its reader's browser comes from here: with the public keys any other could run code."""
    with contextlib.suppress(ValueError):
        return urlsplit(origin).hostname in {"localhost", "127.0.0.1", "::1"}
    return False


def _other_method(method: str, route: Route) -> str:
    """What the framework would name: the known paths outside the API take GET, and for an unknown one some route takes POST."""
    return "POST" if method == "GET" and route.place == "outside" else "GET"
