"""Query parameters, their ranges and their texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cluster.openwhisk.embedded.answers import Refused, rejection
from cluster.openwhisk.embedded.entity import Entity

Query = Mapping[str, str]

DEFAULT_LIMIT = 30
MAX_LIMIT = 200

_INTEGER = re.compile(r"-?[0-9]{1,18}")
"""Narrower than what int() takes, which is blanks, underscores and other scripts' digits as well, and thousands of them not at all."""

_TRUE = frozenset(("true", "yes", "on", "1"))
_FALSE = frozenset(("false", "no", "off", "0"))


class Page(NamedTuple):
    """Which part of a listing is wanted."""

    limit: int
    skip: int
    only_count: bool

    @classmethod
    def of(cls, query: Query, collection: str) -> Page:
        limit = integer(query, "limit", DEFAULT_LIMIT, collection)
        if not 0 <= limit <= MAX_LIMIT:
            raise malformed("limit", f"The value '{limit}' is not in the range of 0 to {MAX_LIMIT} for {collection}.")
        skip = integer(query, "skip", 0, collection)
        if skip < 0:
            raise malformed("skip", f"The value '{skip}' is not greater than or equal to 0 for {collection}.")
        return cls(limit or MAX_LIMIT, skip, boolean(query, "count", default=False))

    def of_entities(self, collection: str, found: Sequence[Entity]) -> Any:
        """The body of a listing: summaries, or how many there are after those skipped."""
        if self.only_count:
            return {collection: max(0, len(found) - self.skip)}
        return [entity.summary() for entity in found[self.skip : self.skip + self.limit]]


def boolean(query: Query, name: str, *, default: bool) -> bool:
    text = query.get(name)
    if text is None:
        return default
    folded = text.lower()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise malformed(name, f"'{text}' is not a valid Boolean value")


def integer(query: Query, name: str, default: int, collection: str) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not _INTEGER.fullmatch(text):
        raise malformed(name, f"The value '{text}' is not an integer for {collection}.")
    return int(text)


def instant_ms(query: Query, name: str) -> int | None:
    """`since` and `upto` are milliseconds; the text of the real platform says seconds, and so does this one."""
    text = query.get(name)
    if text is None:
        return None
    if not _INTEGER.fullmatch(text) or int(text) < 0:
        raise malformed(name, f"Parameter is not a valid value for epoch seconds: {text}")
    return int(text)


def wait_ms(query: Query, longest_ms: int) -> int:
    """How long a blocking call waits: `timeout`, checked on non-blocking calls too."""
    text = query.get("timeout")
    if text is None:
        return longest_ms
    if not (_INTEGER.fullmatch(text) and 1 <= int(text) <= longest_ms):
        raise malformed("timeout", f"Timeout must be number of milliseconds up to {longest_ms}.")
    return int(text)


def malformed(name: str, text: str) -> Refused:
    return rejection(400, f"The query parameter '{name}' was malformed:\n{text}")
