"""Finding what is on a platform already, and helping those who mistype its name.

Nothing is changed: what a user has there is the user's. A lookup costs no token of the rate limit, which a call of something that does not
exist would.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from owray.openwhisk.catalogue import UnknownNameError
from owray.openwhisk.client import OpenWhisk, OpenWhiskError
from owray.openwhisk.target import Target

Collection = Literal["actions", "triggers"]

_PAGE = 200
"""The most that OpenWhisk lists at once."""

_MOST_PAGES = 10
_NEAREST = 3


async def look_up(target: Target, collection: Collection, path: str, namespace: str = "") -> dict[str, Any]:
    """An action or trigger as it is stored; `path` is "name" or "package/name", an empty `namespace` the target's own.

    Raises UnknownNameError, with the nearest names, where there is none, and OpenWhiskError.
    """
    place = replace(target, namespace=namespace or target.namespace)
    async with OpenWhisk(place) as client:
        try:
            found = await client.get(collection, path, {"code": "false"} if collection == "actions" else None)
        except OpenWhiskError as problem:
            if problem.status != 404:
                raise
            known = await _names(client, collection)
            shown = f"wsk {collection.removesuffix('s')} list shows what is there"
            what = f"{collection.removesuffix('s')} in /{place.namespace} on {place.api_host}"
            raise UnknownNameError(what, path, known, hint=shown, most=_NEAREST) from None
    if not isinstance(found, dict):
        raise OpenWhiskError(200, f"no JSON object for {path}", request=f"GET {place.api_host}")
    return found


async def _names(client: OpenWhisk, collection: Collection) -> list[str]:
    """What there is in a namespace, its packages' actions too; the newest, where there is very much."""
    names: list[str] = []
    for page in range(_MOST_PAGES):
        listed = await client.get(collection, query={"limit": str(_PAGE), "skip": str(page * _PAGE)})
        if not isinstance(listed, list):
            break
        names += [_path(entity) for entity in listed if isinstance(entity, dict)]
        if len(listed) < _PAGE:
            break
    return names


def _path(entity: dict[str, Any]) -> str:
    """ "package/name" or "name": the listed namespace is "ns/package" for what is in a package."""
    _, _, package = str(entity.get("namespace", "")).partition("/")
    return f"{package}/{entity.get('name', '')}" if package else str(entity.get("name", ""))
