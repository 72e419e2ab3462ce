"""What all stored things have in common: actions, packages, triggers and rules.

They share one space of names: an action and a trigger of the same namespace cannot both be called `a`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from cluster.openwhisk.embedded.answers import MALFORMED_BODY, rejection
from cluster.openwhisk.embedded.ids import FIRST_VERSION, checked_version, next_version

Shape = TypeVar("Shape")


class Pair(msgspec.Struct, frozen=True, omit_defaults=True):
    """A parameter or an annotation. `init` parameters go into the environment once, not into the arguments of each run."""

    key: str
    value: Any
    init: bool = False


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """`namespace` is "guest", or "guest/package" for what is in a package; `updated` in epoch milliseconds."""

    namespace: str
    name: str
    version: str
    publish: bool
    annotations: tuple[Pair, ...]
    updated: int

    @property
    def path(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def owner(self) -> str:
        """The root namespace, whose limits and keys are the ones that count."""
        return self.namespace.partition("/")[0]

    def listed_as(self, namespace: str) -> str:
        """Its name, with its package, below the namespace that uses it: what listings of activations select by."""
        _, _, package = self.namespace.partition("/")
        return "/".join((namespace, package, self.name) if package else (namespace, self.name))

    def annotation(self, key: str, default: Any = None) -> Any:
        return next((pair.value for pair in self.annotations if pair.key == key), default)

    def document(self) -> dict[str, Any]:
        """As GET, PUT and DELETE answer it."""
        raise TypeError(f"a {type(self).__name__} has no document of its own")

    def summary(self) -> dict[str, Any]:
        """As a listing shows it."""
        raise TypeError(f"a {type(self).__name__} has no summary of its own")

    def _common(self) -> dict[str, Any]:
        return {
            "namespace": self.namespace,
            "name": self.name,
            "version": self.version,
            "publish": self.publish,
            "annotations": self.annotations,
            "updated": self.updated,
        }


def parse_body(body: bytes, shape: type[Shape]) -> Shape:
    """The body of a PUT or POST. Raises the 400 of one that is not what is taken."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise rejection(400, f"{MALFORMED_BODY}{error}") from None


def put_version(wanted: str | None, old: Entity | None) -> str:
    """The version that a PUT makes. Raises the 400 of one that is none."""
    if wanted is not None:
        return checked_version(wanted)
    return next_version(old.version) if old else FIRST_VERSION


def replaced(new: Sequence[Pair] | None, old: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Parameters or annotations that a PUT replaces as a whole, or leaves."""
    return old if new is None else tuple(new)


def published(wanted: bool | None, old: Entity | None) -> bool:
    """Whether a PUT leaves the entity public: it says so, or it was."""
    return wanted if wanted is not None else old is not None and old.publish


class Name(NamedTuple):
    """A fully qualified name, of what may be in a package or not."""

    namespace: str
    package: str | None
    name: str

    @property
    def names(self) -> tuple[str, ...]:
        """As a route has them."""
        return (self.name,) if self.package is None else (self.package, self.name)

    @property
    def path(self) -> str:
        return "/".join((self.namespace, *self.names))


def parse_name(text: str, own_namespace: str) -> Name:
    """A name as bodies have it: `/ns/name`, `ns/package/name`, `/_/name`; `_` is the caller's namespace. Raises the 400 of what is none."""
    parts = text.removeprefix("/").split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise rejection(400, f"{MALFORMED_BODY}'{text}' is not a fully qualified name")
    namespace = own_namespace if parts[0] == "_" else parts[0]
    return Name(namespace, parts[1] if len(parts) == 3 else None, parts[-1])
