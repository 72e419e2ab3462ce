"""Web actions: called by anybody, run as their owner, answered as HTTP and not as a record.

    /api/v1/web/NAMESPACE/PACKAGE/NAME[.http|.json|.text|.html|.svg][/more]        PACKAGE `default` is none

What happens in which order, and what of it costs the owner tokens:

    the path names no action at all              404, or 401 without a key: it is no route         free
    no such action, or it is not exported        404                                               free
    the owner's rate, then concurrency           429                                               a token
    OPTIONS, and the action leaves it to us      200                                               a token
    too long a body                              413                                               a token
    the action wants a key, or a secret          401                                               a token
    arguments that are not allowed               400                                               a token
    it runs, and is waited for                   by the extension; 202 where it takes too long
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote

import msgspec

from cluster.openwhisk.embedded.action_api import ACTIVATION_HEADER, ActionApi
from cluster.openwhisk.embedded.actions import Action
from cluster.openwhisk.embedded.answers import (
    MALFORMED_BODY,
    NO_ROUTE,
    NOT_ALLOWED,
    NOT_FOUND,
    SERVER_ERROR,
    Answer,
    Headers,
    Refused,
    encode,
    readable,
    refusal,
    rejection,
)
from cluster.openwhisk.embedded.auth import CHALLENGE, MISSING
from cluster.openwhisk.embedded.calls import Call, OpenCall, OpenHandler, header_fields
from cluster.openwhisk.embedded.config import Knobs, User
from cluster.openwhisk.embedded.ids import checked_name
from cluster.openwhisk.embedded.invocation import Ack, waited
from cluster.openwhisk.embedded.limits import check_payload
from cluster.openwhisk.embedded.outcomes import Outcome, Status
from cluster.openwhisk.embedded.resolve import Resolver
from cluster.openwhisk.embedded.routes import Place
from cluster.openwhisk.embedded.sequences import Callee
from cluster.openwhisk.embedded.throttles import Throttles
from cluster.openwhisk.embedded.web_answers import EXTENSIONS, is_json, is_textual, pretty

METHODS: Final = ("OPTIONS", "GET", "DELETE", "POST", "PUT", "HEAD", "PATCH")
RESERVED: Final = frozenset(("__ow_method", "__ow_headers", "__ow_path", "__ow_user", "__ow_query", "__ow_body"))
"""Arguments that only the platform sets."""

REQUIRED_HEADER: Final = "X-Require-Whisk-Auth"
ALLOWED_HEADERS: Final = "Authorization, Origin, X-Requested-With, Content-Type, Accept, User-Agent"

NOT_AUTHENTICATED: Final = "Authentication is possible but has failed or not yet been provided."
NOT_READY: Final = "Response not yet ready."
NOT_PROCESSED: Final = "There was an error processing your request."

FORM: Final = "application/x-www-form-urlencoded"
UNTYPED: Final = "application/octet-stream"


class Target(NamedTuple):
    """What a path asks for. `path` is the rest of it, as it came."""

    namespace: str
    names: tuple[str, ...]
    extension: str
    path: str


class WebActions:
    """The handler of everything below `/web`."""

    def __init__(self, knobs: Knobs, users: Sequence[User], resolver: Resolver, actions: ActionApi, throttles: Throttles) -> None:
        self._knobs = knobs
        self._owners = {user.namespace: user for user in users}
        self._resolver = resolver
        self._actions = actions
        self._throttles = throttles
        self._loop = asyncio.get_running_loop()

    def routes(self) -> dict[Place, OpenHandler]:
        return {"web": self.call}

    async def call(self, call: OpenCall) -> Answer:
        target = _target(call)
        try:
            owner, callee = self._exported(target)
            self._throttles.admit_invocation(owner.namespace)
        except Refused as refused:
            return _refused(refused, call)
        own_options = callee.action.annotation("web-custom-options") is True
        if call.method == "OPTIONS" and not own_options:
            return Answer(200, b"", content_type="", cors=False, headers=_cors(call))
        try:
            answer = await self._ran(call, target, owner, callee)
        except Refused as refused:
            answer = _refused(refused, call)
        return answer if own_options else msgspec.structs.replace(answer, cors=False, headers=answer.headers + _cors(call))

    def _exported(self, target: Target) -> tuple[User, Callee]:
        """The action and who it runs as. Raises the 404 of what is not there for anybody, whatever keeps it from being so."""
        owner = self._owners.get(target.namespace)
        if owner is None:
            raise refusal(404, NOT_FOUND)
        try:
            callee = self._resolver.callee(owner, target.namespace, target.names)
        except Refused:
            raise refusal(404, NOT_FOUND) from None
        if callee.action.annotation("web-export") is not True:
            raise refusal(404, NOT_FOUND)
        return owner, callee

    async def _ran(self, call: OpenCall, target: Target, owner: User, callee: Callee) -> Answer:
        """Check, run, wait. Raises the 401s, 400s and 413s of the module's table."""
        check_payload(call.body, self._knobs)
        # One that answers OPTIONS itself is asked by browsers, which send no key with it.
        if call.method != "OPTIONS" and not _is_authorised(call, callee.action):
            raise refusal(401, NOT_AUTHENTICATED)
        payload = encode(_arguments(call, target, raw=callee.action.annotation("raw-http") is True))
        acked: asyncio.Future[Ack | None] = self._loop.create_future()
        owners = Call(owner, call.route, call.headers, payload, call.transaction_id, call.seen_ms)
        activation_id = self._actions.started(owners, callee, acked, blocking=True)
        ack = await waited(acked, self._knobs.blocking_wait_ms / 1000)
        try:
            if ack is None:
                raise refusal(202, NOT_READY)
            answer = _shown(ack.outcome, target.extension)
        except Refused as refused:
            answer = _refused(refused, call)
        return msgspec.structs.replace(answer, headers=((ACTIVATION_HEADER, activation_id), *answer.headers))


def _target(call: OpenCall) -> Target:
    """Raises the 404, or the 401, of a path or a method that no web action can have."""
    package, _, rest = call.route.rest.partition("/")
    segment, slash, path = rest.partition("/")
    name = unquote(segment)
    extension = next((known for known in EXTENSIONS if name.endswith(known)), "")
    names = (unquote(package), name.removesuffix(extension))
    try:
        for each in (call.route.namespace, *names):
            checked_name(each)
    except Refused:
        raise _no_route(call) from None
    if call.method not in METHODS:
        raise _no_route(call)
    return Target(call.route.namespace, names[1:] if names[0] == "default" else names, extension or ".http", slash + path)


def _no_route(call: OpenCall) -> Refused:
    return rejection(404, NO_ROUTE) if call.user is not None else rejection(401, MISSING, CHALLENGE)


def _is_authorised(call: OpenCall, action: Action) -> bool:
    """`require-whisk-auth` is true for anybody with a key, or a secret that a header must tell."""
    wanted = action.annotation("require-whisk-auth")
    if wanted is True:
        return call.user is not None
    if isinstance(wanted, str | int | float) and not isinstance(wanted, bool):
        secret = wanted if isinstance(wanted, str) else encode(wanted).decode()
        return hmac.compare_digest(secret.encode(), readable(call.headers.get(REQUIRED_HEADER, "")).encode())
    return True


def _arguments(call: OpenCall, target: Target, *, raw: bool) -> dict[str, Any]:
    """What the action is called with. Raises the 400 of a query or a body that would set what only the platform sets."""
    given = {
        "__ow_method": call.method.lower(),
        "__ow_headers": header_fields(call.headers),
        "__ow_path": readable(target.path),
    }
    if call.user is not None:
        given["__ow_user"] = call.user.namespace
    media = call.headers.get("Content-Type", UNTYPED).partition(";")[0].strip().lower()
    if raw:
        return given | {"__ow_query": readable(call.route.raw_query), "__ow_body": _opaque(call.body, media)}
    parameters: dict[str, Any] = {readable(name): readable(value) for name, value in call.route.query.items()}
    fields = _fields(call.body, media)
    if fields is not None:
        parameters |= fields
    if not RESERVED.isdisjoint(parameters):
        raise refusal(400, NOT_ALLOWED)
    if fields is None:
        given["__ow_body"] = _opaque(call.body, media)
    return given | parameters


def _fields(body: bytes, media: str) -> Mapping[str, Any] | None:
    """The fields of a body that is merged into the arguments; None for a body that is one argument. Raises the 400 of broken JSON."""
    if not body:
        return {}
    if media == FORM:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if not is_json(media):
        return None
    try:
        if body.lstrip().startswith(b"{"):
            return msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise rejection(400, f"{MALFORMED_BODY}{error}") from None
    return None


def _opaque(body: bytes, media: str) -> str:
    """A body as one string: in base64 where it is not text, and JSON too."""
    if is_textual(media) and not is_json(media):
        return body.decode("utf-8", "replace")
    return base64.b64encode(body).decode()


def _shown(outcome: Outcome, extension: str) -> Answer:
    """Raises the 400 of a failure that is not the action's own answer, and those of a result that does not fit the extension."""
    if outcome.status not in (Status.SUCCESS, Status.APPLICATION_ERROR):
        raise refusal(400, NOT_PROCESSED)
    if outcome.is_array:
        raise refusal(500, SERVER_ERROR)
    result = outcome.result
    if outcome.status is Status.APPLICATION_ERROR:
        result = bytes(msgspec.json.decode(result, type=dict[str, msgspec.Raw])["error"])
    return EXTENSIONS[extension](result)


def _cors(call: OpenCall) -> Headers:
    """Methods are more than those of the API, and headers are whatever the browser asks for."""
    wanted = call.headers.get("Access-Control-Request-Headers")
    return (
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", ", ".join(METHODS)),
        ("Access-Control-Allow-Headers", ALLOWED_HEADERS if wanted is None else wanted),
    )


def _refused(refused: Refused, call: OpenCall) -> Answer:
    """Indented, as all JSON of web actions."""
    answer = refused.answer(call.transaction_id)
    return msgspec.structs.replace(answer, body=pretty(answer.body))
