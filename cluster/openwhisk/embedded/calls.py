"""A request as the API sees it, and what all parts of the API ask of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from cluster.openwhisk.embedded.answers import Answer, readable, refusal, rejection
from cluster.openwhisk.embedded.config import User
from cluster.openwhisk.embedded.ids import checked_name
from cluster.openwhisk.embedded.routes import Route


@dataclass(slots=True)
class Call:
    """One authenticated request. `seen_ms` is when the platform first saw it, in epoch milliseconds."""

    user: User
    route: Route
    headers: Mapping[str, str]
    body: bytes
    transaction_id: str
    seen_ms: int

    def check_names(self) -> None:
        """Raises the 400 of a namespace or entity name that cannot be one."""
        if self.route.namespace != "_":
            checked_name(self.route.namespace)
        for name in self.route.names:
            checked_name(name)

    def any_namespace(self) -> str:
        """The namespace asked for, anybody's; `_` is the caller's own."""
        return self.user.namespace if self.route.namespace == "_" else self.route.namespace

    def namespace(self) -> str:
        """As `any_namespace`; raises the 403 of somebody else's."""
        namespace = self.route.namespace
        if namespace not in ("_", self.user.namespace):
            raise refusal(403, f"The supplied authentication is not authorized to access '{namespace}'.")
        return self.user.namespace

    def own_path(self) -> str:
        """The path of an entity of one's own. Raises the 400 of an illegal name and the 403 of somebody else's."""
        self.check_names()
        return "/".join((self.namespace(), *self.route.names))

    def check_json(self) -> None:
        """Raises the 415 of a body that does not claim to be JSON; no body needs no type."""
        if self.body and self.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            raise rejection(415, "The request's Content-Type is not supported. Expected:\napplication/json")


Handler = Callable[[Call], Awaitable[Answer]]


def header_fields(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as an argument: by lower-case names, and bytes that are no text replaced, since arguments are JSON."""
    return {name.lower(): readable(value) for name, value in headers.items()}


@dataclass(slots=True)
class OpenCall:
    """A request to a place that anybody may ask: `user` is who said so, and None where nobody did. Names are not yet looked at."""

    user: User | None
    method: str
    route: Route
    headers: Mapping[str, str]
    body: bytes
    transaction_id: str
    seen_ms: int


OpenHandler = Callable[[OpenCall], Awaitable[Answer]]
