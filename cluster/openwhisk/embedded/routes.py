"""From the path of a request to what it asks for.

Parsed once for each distinct path with its query: a storm asks for the same few again and again.
Paths are split before they are unquoted, so that an escaped slash stays part of a name (and makes it illegal).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal
from urllib.parse import parse_qsl, unquote

API = "/api/v1"

Place = Literal[
    "root",
    "ping",
    "api",
    "namespaces",
    "actions",
    "action",
    "packaged action",
    "package actions",
    "packages",
    "package",
    "triggers",
    "trigger",
    "rules",
    "rule",
    "web",
    "invokers",
    "healthy invokers",
    "ready invokers",
    "in flight",
    "in flight count",
    "metrics",
    "activations",
    "activation",
    "activation result",
    "activation logs",
    "limits",
    "below limits",
    "outside",
    "nowhere",
]
"""What a path leads to. `outside` and `nowhere` are unknown paths outside and under the API."""

_OUTSIDE: Mapping[str, Place] = {
    "": "root",
    "/": "root",
    "/ping": "ping",
    "/invokers": "invokers",
    "/invokers/healthy/count": "healthy invokers",
    "/invokers/ready": "ready invokers",
    "/activation": "in flight",
    "/activation/count": "in flight count",
    "/metrics": "metrics",
    API: "api",
    API + "/": "api",
}
_BESIDE_API = frozenset(_OUTSIDE.values()) - {"api"} | {"outside"}
_WEB = API + "/web/"
_COLLECTIONS: Mapping[str, Place] = {
    "actions": "actions",
    "activations": "activations",
    "limits": "limits",
    "packages": "packages",
    "triggers": "triggers",
    "rules": "rules",
}
_MEMBERS: Mapping[str, Place] = {
    "actions": "action",
    "activations": "activation",
    "packages": "package",
    "triggers": "trigger",
    "rules": "rule",
}
_PARTS: Mapping[str, Place] = {"result": "activation result", "logs": "activation logs"}


@dataclass(frozen=True, slots=True)
class Route:
    """A place, the names on the way there, and the query. `rest` is what of a web action's path is the action's own, escapes and all."""

    place: Place
    namespace: str
    names: tuple[str, ...]
    query: Mapping[str, str]
    rest: str = ""
    raw_query: str = ""

    @property
    def under_api(self) -> bool:
        return self.place not in _BESIDE_API


@lru_cache(maxsize=4096)
def parse(raw_path: str) -> Route:
    """Never fails: what leads nowhere is a place too."""
    path, _, raw_query = raw_path.partition("?")
    query = MappingProxyType(dict(parse_qsl(raw_query, keep_blank_values=True)))
    if path in _OUTSIDE:
        return Route(_OUTSIDE[path], "", (), query)
    if not path.startswith(API + "/"):
        return Route("outside", "", (), query)
    if path.startswith(_WEB):
        namespace, _, rest = path[len(_WEB) :].partition("/")
        return Route("web", unquote(namespace), (), query, rest, raw_query)
    segments = [unquote(segment) for segment in path[len(API) + 1 :].split("/")]
    if segments[0] != "namespaces":
        return Route("nowhere", "", (), query)
    place, names = _place(segments[1:])
    return Route(place, segments[1] if len(segments) > 1 else "", names, query)


def _place(segments: list[str]) -> tuple[Place, tuple[str, ...]]:
    """`segments` begin with the namespace; a trailing slash, accepted on collections, shows as an empty last one."""
    match segments:
        case [] | [""]:
            return "namespaces", ()
        case [_, "actions", package, ""]:
            return "package actions", (package,)
        case [_, "actions", package, name]:
            return "packaged action", (package, name)
        case [_, "activations", activation_id, part] if part in _PARTS:
            return _PARTS[part], (activation_id,)
        case [_, "limits", name, *_] if name:
            return "below limits", ()
        case [_, collection] | [_, collection, ""] if collection in _COLLECTIONS:
            return _COLLECTIONS[collection], ()
        case [_, collection, name] if collection in _MEMBERS:
            return _MEMBERS[collection], (name,)
        case _:
            return "nowhere", ()
