"""What OpenWhisk takes for a name, and paths made of names: nothing else gets into a URL, so no other part of the API can be met."""

from __future__ import annotations

import re
from urllib.parse import quote

NAME = re.compile(r"\w|\w[\w@ .&-]{0,254}[\w@.&-]", re.ASCII)
"""A namespace, a package, an action, a trigger, as OpenWhisk's EntityName has it."""


def path_of(namespace: str, collection: str, entity: str = "") -> str:
    """The path of a collection, or of an entity in it: "name", or "package/name". Raises ValueError for what is no name."""
    names = entity.split("/") if entity else []
    for name in (namespace, *names):
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be a name on OpenWhisk")
    return "/".join(["/api/v1/namespaces", quote(namespace, safe=""), collection, *(quote(name, safe="") for name in names)])
