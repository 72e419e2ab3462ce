"""What a user has on the platform already: actions by name, web actions by URL, triggers by name.

Nothing is deployed. Before any load it is looked up, so that a wrong name costs one request and not a storm of refusals.

    --action /NAMESPACE/PACKAGE/NAME    also /_/NAME, /NAMESPACE/NAME, PACKAGE/NAME; _ is the key's own namespace
    --trigger NAME                      also /NAMESPACE/NAME
    --web URL                           on the target itself, or from /api/v1/web on

Rows hold the whole name, however it was written: /_/NAME.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from owray.openwhisk.client import OpenWhiskError
from owray.openwhisk.deploy import Deployed
from owray.openwhisk.lookup import Collection, look_up
from owray.openwhisk.names import NAME
from owray.openwhisk.records import annotations_of
from owray.openwhisk.target import Target
from owray.plan.mix import Check, Entry, Kind, Method, Variant
from owray.storm.bad_request import BadRequest
from owray.storm.request import CallRequest

WORKLOAD = "own"
"""What rows hold as the workload of what is no catalogue's."""

_WEB = "/api/v1/web/"
_EXTENSIONS = (".http", ".json", ".html", ".svg", ".text")
_URL = re.compile(r"[!-~]+")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Own:
    """Something that is there already. `path` is called (see `owray.plan.mix.Entry`), `entity` within `namespace` is what it stands for;
    an empty namespace is the target's own. `origin` is scheme and host of a web action's URL, None where it was given without."""

    kind: Kind
    namespace: str
    path: str
    entity: str
    name: str
    method: Method = "POST"
    origin: tuple[str, str, int] | None = None

    def entry(self, variants: tuple[Variant, ...], check: Check | None) -> Entry:
        """The line of the mix that calls it."""
        namespace = "" if self.kind == "web" else self.namespace
        return Entry(
            WORKLOAD, self.name, "", self.path, variants=variants, kind=self.kind, namespace=namespace, method=self.method, check=check
        )


def own_of(action: str | None, call: CallRequest) -> Own | None:
    """What is named of the user's own; None where that is a workload or an action of a catalogue. Raises BadRequest."""
    if call.web is not None:
        return _web(call.web, call.method or "POST")
    if call.trigger is not None:
        return _named("trigger", call.trigger)
    if action is not None and "/" in action:
        return own_action(action)
    return None


def own_action(written: str) -> Own:
    """An action that is there already, by a name with a / in it. Raises BadRequest."""
    return _named("action", written)


def _named(kind: Kind, written: str) -> Own:
    absolute = written.startswith("/")
    namespace, *path = written[1:].split("/") if absolute else ("_", *written.split("/"))
    longest = 2 if kind == "action" else 1
    if not 1 <= len(path) <= longest or not all(NAME.fullmatch(name) for name in (namespace, *path)):
        example = "/_/NAME or /_/PACKAGE/NAME" if kind == "action" else "NAME or /NAMESPACE/NAME"
        raise BadRequest(f"{written!r} cannot be the name of {'an action' if kind == 'action' else 'a trigger'}; one looks like {example}")
    entity = "/".join(path)
    return Own(kind, "" if namespace == "_" else namespace, entity, entity, f"/{namespace}/{entity}")


def _web(url: str, method: Method) -> Own:
    shape = "it looks like https://HOST/api/v1/web/NAMESPACE/PACKAGE/NAME.json, PACKAGE is default where there is none"
    if "@" in url.partition(_WEB)[0]:
        raise BadRequest("--web: the URL holds credentials; a web action is called without")
    try:
        parts = urlsplit(url)
        origin = _origin(parts) if parts.scheme or parts.netloc else None
    except ValueError:
        raise BadRequest(f"--web {url!r} is no URL; {shape}") from None
    segments = parts.path.removeprefix(_WEB).split("/")
    if not parts.path.startswith(_WEB) or len(segments) < 3 or not all(segments[:3]) or parts.fragment:
        raise BadRequest(f"--web {url!r} is no web action; {shape}")
    if not _URL.fullmatch(url):
        raise BadRequest(f"--web {url!r} has characters that a URL cannot hold as they are; write them as %XX")
    namespace, package, name = map(unquote, segments[:3])
    extension = next((each for each in _EXTENSIONS if name.endswith(each)), "")
    bare = name.removesuffix(extension)
    if namespace == "_":
        raise BadRequest("--web: a web action is called by anybody, so its URL has the namespace's own name, not _")
    climbs = any(unquote(segment) in (".", "..") for segment in segments[3:])
    if climbs or not all(NAME.fullmatch(each) for each in (namespace, package, bare)):
        raise BadRequest(f"--web {url!r} is no web action; {shape}")
    entity = bare if package == "default" else f"{package}/{bare}"
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return Own("web", namespace, path, entity, unquote(parts.path.removeprefix(_WEB.rstrip("/"))), method, origin)


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port. Raises ValueError."""
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


async def find_own(own: Own, target: Target) -> tuple[Deployed | None, tuple[str, ...]]:
    """What is there, and what a user should know of it before it is called; None where it is somebody else's web action.

    Raises BadRequest where it cannot be called, UnknownNameError, OpenWhiskError.
    """
    if own.origin is not None and own.origin != _origin(urlsplit(target.api_host)):
        raise BadRequest(f"--web is on another host than the target, {target.api_host}; without scheme and host it is on the target")
    collection: Collection = "triggers" if own.kind == "trigger" else "actions"
    try:
        found = await look_up(target, collection, own.entity, own.namespace)
    except OpenWhiskError as problem:
        if own.kind == "web" and problem.status == 403:
            return None, (f"{own.name} cannot be looked up: it is in a namespace that the key is not for",)
        raise
    if own.kind == "web" and annotations_of(found).get("web-export") is not True:
        raise BadRequest(f"{own.name} is no web action: it has no annotation web-export with true.  (wsk action update NAME --web true)")
    return _described(own, found), _notes(own, found)


def _described(own: Own, found: Mapping[str, Any]) -> Deployed:
    kind = "trigger" if own.kind == "trigger" else str(annotations_of(found).get("exec") or "")
    return Deployed(path=own.name, kind=kind, version=str(found.get("version", "")), changed=False)


def _notes(own: Own, found: Mapping[str, Any]) -> tuple[str, ...]:
    rules = found.get("rules") or {}
    if own.kind != "trigger" or any(rule.get("status") == "active" for rule in rules.values()):
        return ()
    return (f"{own.name} has no active rule: nothing will run, and calls are `wrong`.  (wsk rule create NAME TRIGGER ACTION)",)
