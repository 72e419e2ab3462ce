"""A stored action with all that each of its invocations needs, made once: its identity for the pool, and the constant parts of what
is sent to a container.

Arguments travel as the bytes they came in. They are decoded only as far as must be known: that they are an object, and its keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from cluster.openwhisk.embedded.actions import Action, CodeAction
from cluster.openwhisk.embedded.answers import MALFORMED_BODY, NOT_ALLOWED, encode, refusal, rejection
from cluster.openwhisk.embedded.config import User
from cluster.openwhisk.embedded.entity import Pair
from cluster.openwhisk.embedded.pool import Need

Arguments = dict[str, msgspec.Raw]

_arguments = msgspec.json.Decoder(Arguments)


class Prepared:
    """See the module. Immutable by convention: a new version of the action makes a new one."""

    def __init__(self, action: CodeAction, inherited: tuple[Pair, ...] = (), binding: str | None = None) -> None:
        """`inherited` are the parameters of the package and of the binding, which the action's own go over; `binding` is its path."""
        self.action = action
        self.binding = binding
        self.identity = action.identity() + (binding or "").encode()
        self._defaults = defaults_of((*inherited, *action.parameters))
        self._environment = {pair.key: _as_text(pair.value) for pair in action.parameters if pair.init}
        self._final = final_keys(action, (*inherited, *action.parameters))
        self._gives_key = bool(action.annotation("provide-api-key", default=True))
        self._needs: dict[str, Need] = {}
        self._listed_as: dict[str, str] = {}
        self.annotations = (Pair("path", action.path), Pair("kind", action.exec.kind), Pair("limits", action.limits))
        """What every record of it bears."""
        self._tail = encode({"action_name": f"/{action.path}", "action_version": action.version})[1:-1]

    def need(self, user: User) -> Need:
        """What the pool is to find for a call of this user; the same object each time."""
        need = self._needs.get(user.namespace)
        if need is None:
            action = self.action
            need = self._needs[user.namespace] = Need((user.namespace, self.identity), action.limits.memory, action.runtime.name)
        return need

    def listed_as(self, user: User) -> str:
        """What listings of activations select by: the invoking namespace, then the action's name with its package."""
        listed_as = self._listed_as.get(user.namespace)
        if listed_as is None:
            listed_as = self._listed_as[user.namespace] = self.action.listed_as(user.namespace)
        return listed_as

    def arguments(self, payload: bytes) -> bytes:
        """The action's parameters with the payload over them, as JSON. Raises the 400 of a payload that is no object or not allowed."""
        return merged_arguments(self._defaults, self._final, payload)

    def arguments_of_result(self, result: bytes) -> bytes:
        """The action's parameters with what the component before it in a sequence has made over them. An array replaces everything."""
        return result_arguments(self._defaults, result)

    def run_body(self, arguments: bytes, user: User, activation_id: str, transaction_id: str, deadline_ms: int) -> bytes:
        """What is posted to /run. The deadline is a string of epoch milliseconds."""
        return b'{"value":%b,"namespace":%b,%b,"activation_id":"%b","transaction_id":%b,"deadline":"%d"%b}' % (
            arguments,
            encode(user.namespace),
            self._tail,
            activation_id.encode(),
            encode(transaction_id),
            deadline_ms,
            b',"api_key":' + encode(_credentials(user)) if self._gives_key else b"",
        )

    def init_body(self, user: User, activation_id: str, transaction_id: str, deadline_ms: int) -> bytes:
        """What is posted to /init. All values of `env` are strings."""
        action = self.action
        environment = {
            "__OW_NAMESPACE": user.namespace,
            "__OW_ACTION_NAME": f"/{action.path}",
            "__OW_ACTION_VERSION": action.version,
            "__OW_ACTIVATION_ID": activation_id,
            "__OW_TRANSACTION_ID": transaction_id,
            "__OW_DEADLINE": str(deadline_ms),
        }
        if self._gives_key:
            environment["__OW_API_KEY"] = _credentials(user)
        value = {
            "name": action.name,
            "main": action.exec.main or "main",
            "code": action.exec.code,
            "binary": action.exec.binary,
            "env": environment | self._environment,
        }
        return encode({"value": value})


def defaults_of(pairs: Iterable[Pair]) -> Arguments:
    """The arguments that parameters make; where two have the same key the later one counts."""
    return {pair.key: msgspec.Raw(encode(pair.value)) for pair in pairs if not pair.init}


def final_keys(action: Action, pairs: Iterable[Pair]) -> frozenset[str]:
    """The parameters that no caller may give: those of an action with the annotation `final` that have a value."""
    return frozenset(pair.key for pair in pairs if pair.value is not None) if action.annotation("final") else frozenset()


def merged_arguments(defaults: Arguments, final: frozenset[str], payload: bytes) -> bytes:
    """Parameters with a payload over them, as JSON; `final` may not be given. Raises the 400s of a payload."""
    if not payload:
        return encode(defaults)
    try:
        if not payload.isascii():
            payload.decode()  # which the decoder leaves to who reads the values
        given = _arguments.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise rejection(400, f"{MALFORMED_BODY}{error}") from None
    if not final.isdisjoint(given):
        raise refusal(400, NOT_ALLOWED)
    return encode(defaults | given) if defaults else payload


def result_arguments(defaults: Arguments, result: bytes) -> bytes:
    """Parameters with a result over them; an array replaces everything."""
    return encode(defaults | _arguments.decode(result)) if defaults and result.startswith(b"{") else result


def _credentials(user: User) -> str:
    return f"{user.uuid}:{user.key}"


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else encode(value).decode()
