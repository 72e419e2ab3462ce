"""OpenWhisk's REST API, for everything but the storm itself.

The control plane: few calls, each of which may matter, so every one has a time-out and every failure becomes an `OpenWhiskError` whose
text names cause and fix in one line. Nothing is tried again and no redirect is followed: a key goes to the host it was given for. Should
that send it back, it is taken out of the answer before anybody reads it.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Container, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from owray.http1.basic_auth import hiding
from owray.http1.tls import client_context
from owray.openwhisk.names import path_of
from owray.openwhisk.records import Activation
from owray.openwhisk.target import Target
from owray.problems import Problem

REQUEST_TIMEOUT_S = 30.0
INVOCATION_TIMEOUT_S = 90.0
"""The platform may rightly answer a blocking call after 60 s (202), its front after 75 s (504)."""

_ANY_STATUS = range(100, 600)
_NO_CALL_AT_ALL = (401, 403, 404)
"""Answers that say nothing of the action: there is no such account, right or action."""

_FIXES = {
    401: "the key is not accepted; check it in {source}, and that it belongs to this host",
    403: "the key is good, but not for this namespace",
    404: "it does not exist there",
    429: "the namespace's limit is used up; wait for the next minute, or have the limit raised",
    500: "OpenWhisk's own logs tell why",
    503: "no OpenWhisk invoker is healthy yet; wait a minute, then look at {host}/invokers",
}
_FRONT_FIXES = {
    403: "that is no answer of OpenWhisk's: what stands before it forbids this; ask whoever runs {host}",
    **dict.fromkeys((502, 503, 504), "what stands before OpenWhisk gets no answer from it; is it running?"),
}
"""For answers that are not JSON, as all of OpenWhisk's are."""

_TITLE = re.compile(r"<(title|h1)\b[^>]*>(?P<text>[^<]+)<", re.IGNORECASE)


class OpenWhiskError(Problem):
    """The platform refused a request, or did not answer it.

    `status` is the HTTP status, None when there was no answer; `text` is what the platform said, or what went wrong on the way. What in it
    would move a terminal's cursor or change its colours is written out.
    """

    def __init__(self, status: int | None, text: str, *, request: str = "", fix: str = "") -> None:
        self.status = status
        self.text = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
        self.request = request
        self.fix = fix
        super().__init__(status, self.text)

    def __str__(self) -> str:
        answer = self.text if self.status is None else f"answered {self.status}: {self.text or 'nothing more'}"
        what = " ".join(filter(None, [self.request, answer]))
        return f"{what.removesuffix('.')}.  ({self.fix})" if self.fix else what


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    text: str
    request: str
    location: str = ""

    def json(self) -> Any:
        try:
            return json.loads(self.text)
        except ValueError:
            raise OpenWhiskError(self.status, f"no JSON: {_first_line(self.text)}", request=self.request) from None


class OpenWhisk:
    """A client of one target; an asynchronous context manager.

    Entities are named by their path within the namespace: "align", or "package/align".
    """

    def __init__(self, target: Target, timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        self.target = target
        self._timeout_s = timeout_s
        self._without_key = hiding(target.auth)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # No limit of its own: calls that are to meet many containers have to be under way together.
            connector=aiohttp.TCPConnector(ssl=_tls(self.target), limit=0),
            headers={"Authorization": self.target.authorization, "Accept": "application/json, text/plain"},
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- the platform ---

    async def info(self) -> dict[str, Any]:
        """`GET /`: system limits and the kinds of runtime there are."""
        return _object(await self._request("GET", "/"))

    async def api(self) -> dict[str, Any]:
        """`GET /api/v1`: build and version."""
        return _object(await self._request("GET", "/api/v1"))

    async def ping(self) -> None:
        """Returns when the controller answers."""
        await self._request("GET", "/ping")

    async def namespaces(self) -> list[str]:
        """What the key may use: one namespace, its own."""
        answer = await self._request("GET", "/api/v1/namespaces")
        body = answer.json()
        if not isinstance(body, list):
            raise OpenWhiskError(answer.status, f"no list: {_first_line(answer.text)}", request=answer.request)
        return [str(name) for name in body]

    async def invokers(self) -> dict[str, Any]:
        """`GET /invokers`: each OpenWhisk invoker's state. Not every front lets it through."""
        return _object(await self._request("GET", "/invokers"))

    async def metrics(self) -> str:
        """`GET /metrics`, in Prometheus' format. Most fronts keep it to themselves."""
        return (await self._request("GET", "/metrics")).text

    async def limits(self) -> dict[str, Any]:
        """The namespace's own limits: calls a minute, calls at once, memory and time of an action."""
        return _object(await self._request("GET", self._path("limits")))

    async def get(self, collection: str, entity: str = "", query: Mapping[str, str] | None = None) -> Any:
        """An entity as it is stored, or a list of what a collection ("actions", "triggers") has, by its path within the namespace."""
        return (await self._request("GET", self._path(collection, entity), query=query)).json()

    # --- actions ---

    async def get_action(self, path: str, namespace: str = "", *, code: bool = False) -> dict[str, Any]:
        return _object(await self._request("GET", self._path("actions", path, namespace), query={"code": _flag(code)}))

    async def put_action(self, path: str, action: Mapping[str, Any], *, overwrite: bool = False) -> dict[str, Any]:
        """Creates the action, or replaces it, which ends the use of all its warm containers. Returns it as it is stored."""
        answer = await self._request("PUT", self._path("actions", path), query={"overwrite": _flag(overwrite)}, body=action)
        if answer.text == "OK":  # platforms may be set up to answer without a payload
            return await self.get_action(path)
        return _object(answer)

    async def delete_action(self, path: str) -> None:
        await self._request("DELETE", self._path("actions", path))

    async def invoke(self, path: str, parameters: Mapping[str, Any] | None = None, timeout_s: float = INVOCATION_TIMEOUT_S) -> Activation:
        """A blocking call, and its record, whether the action succeeded or not.

        Raises OpenWhiskError when there is no record: refused, or not finished within the 60 s that the platform waits (status 202;
        the action runs on).
        """
        answer = await self._request(
            "POST", self._path("actions", path), query={"blocking": "true"}, body=parameters or {}, timeout_s=timeout_s, allow=(500, 502)
        )
        try:
            return Activation.from_json(_decoded(answer.text))
        except (KeyError, TypeError):
            pass
        if answer.status == 202:
            text = f"not finished when the platform stopped waiting; it runs on as activation {_object(answer).get('activationId')}"
            raise OpenWhiskError(202, text, request=answer.request)
        raise self._refusal(answer)

    async def call(
        self, path: str, parameters: Mapping[str, Any] | None = None, namespace: str = "", timeout_s: float = INVOCATION_TIMEOUT_S
    ) -> tuple[int, bytes]:
        """A blocking call; status and body of the answer, a refusal or a failure of the action included. Without a namespace it is the
        target's own.

        Raises OpenWhiskError where there is no answer, and where the account, its right or the action is missing.
        """
        answer = await self._request(
            "POST",
            self._path("actions", path, namespace),
            query={"blocking": "true"},
            body=parameters or {},
            timeout_s=timeout_s,
            allow=_ANY_STATUS,
        )
        if answer.status in _NO_CALL_AT_ALL:
            raise self._refusal(answer)
        return answer.status, answer.text.encode()

    async def submit(self, path: str, parameters: Mapping[str, Any] | None = None) -> str:
        """A call that nobody waits for; its activation id."""
        answer = await self._request("POST", self._path("actions", path), query={"blocking": "false"}, body=parameters or {})
        return str(_object(answer)["activationId"])

    # --- activations ---

    async def activation(self, activation_id: str, patience_s: float = 0.0) -> Activation:
        """A stored record. It is stored some time after the call was answered: for `patience_s`, 404 means "not yet"."""
        deadline = asyncio.get_running_loop().time() + patience_s
        pause_s = 0.1
        while True:
            try:
                answer = await self._request("GET", self._path("activations", activation_id))
                return Activation.from_json(_object(answer))
            except OpenWhiskError as error:
                left_s = deadline - asyncio.get_running_loop().time()
                if error.status != 404 or left_s <= 0:
                    raise
                await asyncio.sleep(min(pause_s, left_s))
                pause_s *= 2

    async def activations(
        self, *, name: str | None = None, since_ms: int | None = None, upto_ms: int | None = None, limit: int = 30, skip: int = 0
    ) -> list[Activation]:
        """Stored records, newest first; `since_ms` and `upto_ms` are epoch milliseconds, `limit` is at most 200."""
        wished = {"name": name, "since": since_ms, "upto": upto_ms, "limit": limit, "skip": skip, "docs": "true"}
        query = {key: str(value) for key, value in wished.items() if value is not None}
        answer = await self._request("GET", self._path("activations"), query=query)
        return [Activation.from_json(record) for record in answer.json()]

    # --- one request ---

    def _path(self, collection: str, entity: str = "", namespace: str = "") -> str:
        try:
            return path_of(namespace or self.target.namespace, collection, entity)
        except ValueError as problem:
            raise OpenWhiskError(None, str(problem)) from None

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
        allow: Container[int] = (),
    ) -> _Answer:
        """The answer to one request. Raises OpenWhiskError unless its status is 2xx or among `allow`."""
        if self._session is None:
            raise RuntimeError("an OpenWhisk client is to be entered first: async with OpenWhisk(target) as platform")
        total_s = timeout_s or self._timeout_s
        request, source = f"{method} {self.target.api_host}{path}", self.target.host_source
        try:
            async with self._session.request(
                method,
                self.target.api_host + path,
                params=query,
                json=body,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=total_s),
            ) as response:
                location = self._without_key(response.headers.get("Location", ""))
                answer = _Answer(response.status, self._without_key(await response.text(errors="replace")), request, location)
        except TimeoutError:
            raise OpenWhiskError(
                None, f"was not answered within {total_s:g} s", request=request, fix=f"is the address right? It is from {source}"
            ) from None
        except aiohttp.ClientError as error:
            raise self._no_answer(error, request) from None
        if not 200 <= answer.status < 300 and answer.status not in allow:
            raise self._refusal(answer)
        return answer

    def _refusal(self, answer: _Answer) -> OpenWhiskError:
        body = _decoded(answer.text)
        said = body.get("error") if isinstance(body, dict) else None
        text = said if isinstance(said, str) else _first_line(answer.text)
        fixes = _FIXES if said is not None else {**_FIXES, **_FRONT_FIXES}
        fix = fixes.get(answer.status, "").format(source=self.target.source, host=self.target.api_host)
        if 300 <= answer.status < 400 and answer.location:
            text = f"it sends elsewhere: {_first_line(answer.location)}"
            fix = f"if that is your OpenWhisk, name it as the API host in {self.target.host_source}; a key goes nowhere by itself"
        return OpenWhiskError(answer.status, " ".join(text.split()), request=answer.request, fix=fix)

    def _no_answer(self, error: aiohttp.ClientError, request: str) -> OpenWhiskError:
        """Why there was no answer. The cause is not chained: aiohttp's errors can hold the request's headers, and so the key."""
        host, source = self.target.api_host, self.target.host_source
        match error:
            case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as reason):
                text = f"{host} shows a certificate that nobody known here vouches for: {reason.verify_message}"
                fix = "SSL_CERT_FILE=FILE names its authority; --insecure takes any certificate"
            case aiohttp.ClientConnectorDNSError():
                text, fix = f"the name of {host} cannot be resolved", f"check the address in {source}"
            case aiohttp.ClientSSLError():
                text, fix = f"{host} does not speak TLS as expected", f"http:// instead of https:// in {source}?"
            case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
                text, fix = f"connection refused by {host}", f"is OpenWhisk running there? The address is from {source}"
            case aiohttp.ClientConnectorError():
                text, fix = f"cannot connect to {host}: {error.os_error.strerror}", f"the address is from {source}"
            case aiohttp.ClientResponseError():
                text, fix = f"{host} answers, but not in HTTP", f"check the address in {source}"
            case _:
                text, fix = f"the connection to {host} broke off", "the request may or may not have been served"
                if host.startswith("http:"):
                    fix += f"; https:// instead of http:// in {source}?"
                return OpenWhiskError(None, text, request=f"{request}:", fix=fix)
        return OpenWhiskError(None, text, fix=fix)


def _tls(target: Target) -> ssl.SSLContext | bool:
    """Reading certificates takes a while, so it is done only where there are some to check."""
    return client_context(insecure=target.insecure) if target.api_host.startswith("https:") else True


def _object(answer: _Answer) -> dict[str, Any]:
    body = answer.json()
    if not isinstance(body, dict):
        raise OpenWhiskError(answer.status, f"no JSON object: {_first_line(answer.text)}", request=answer.request)
    return body


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _first_line(text: str) -> str:
    """What a person reads first; of a page, its title."""
    line = text.strip().partition("\n")[0]
    if line.startswith("<"):
        title = _TITLE.search(text)
        line = "a web page" if title is None else f"a web page, {' '.join(title['text'].split())}"
    return line if len(line) <= 200 else f"{line[:200]}..."


def _flag(value: bool) -> str:
    return "true" if value else "false"
