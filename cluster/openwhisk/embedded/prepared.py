"""A stored action with all that each of its invocations needs, made once: its identity for the pool, and the constant parts of what
is sent to a container.

Arguments travel as the bytes they came in. They are decoded only as far as must be known: that they are an object, and its keys.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.openwhisk.embedded.actions import Action
from cluster.openwhisk.embedded.answers import MALFORMED_BODY, encode, rejection
from cluster.openwhisk.embedded.config import User
from cluster.openwhisk.embedded.pool import Need

Arguments = dict[str, msgspec.Raw]

_arguments = msgspec.json.Decoder(Arguments)


class Prepared:
    """See the module. Immutable by convention: a new version of the action makes a new one."""

    def __init__(self, action: Action) -> None:
        self.action = action
        self.identity = action.identity()
        self._defaults: Arguments = {pair.key: msgspec.Raw(encode(pair.value)) for pair in action.parameters if not pair.init}
        self._environment = {pair.key: _as_text(pair.value) for pair in action.parameters if pair.init}
        self._final = {pair.key for pair in action.parameters} if action.annotation("final") else frozenset[str]()
        self._gives_key = bool(action.annotation("provide-api-key", default=True))
        self._needs: dict[str, Need] = {}
        self._tail = encode({"action_name": f"/{action.path}", "action_version": action.version})[1:-1]

    def need(self, user: User) -> Need:
        """What the pool is to find for a call of this user; the same object each time."""
        need = self._needs.get(user.namespace)
        if need is None:
            need = self._needs[user.namespace] = Need((user.namespace, self.identity), self.action.limits.memory)
        return need

    def arguments(self, payload: bytes) -> bytes:
        """The action's parameters with the payload over them, as JSON. Raises the 400 of a payload that is no object or not allowed."""
        if not payload:
            return encode(self._defaults)
        try:
            given = _arguments.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise rejection(400, f"{MALFORMED_BODY}{error}") from None
        if not self._final.isdisjoint(given):
            raise rejection(400, "Request defines parameters that are not allowed (e.g., reserved properties).")
        return encode(self._defaults | given) if self._defaults else payload

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


def _credentials(user: User) -> str:
    return f"{user.uuid}:{user.key}"


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else encode(value).decode()
