"""Who asks: HTTP Basic, where the user is a namespace's uuid and the password its key."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence

from cluster.openwhisk.embedded.answers import Refused, rejection
from cluster.openwhisk.embedded.config import User

CHALLENGE = (("WWW-Authenticate", 'Basic realm="OpenWhisk secure realm",charset=UTF-8'),)
MISSING = "The resource requires authentication, which was not supplied with the request"
WRONG = "The supplied authentication is invalid"

SPELLINGS_KEPT = 1024
"""One key can be written in any number of ways: `basic`, more blanks."""


class Authentication:
    """Knows the users. A header that was accepted once is found again by one lookup: a storm sends the same one each time."""

    def __init__(self, users: Sequence[User]) -> None:
        self._users = {user.uuid: user for user in users}
        self._accepted: dict[str, User] = {}

    def user(self, header: str | None) -> User:
        """The user of an Authorization header. Raises the 401 of a missing or wrong one."""
        known = self._accepted.get(header) if header else None
        if known is not None:
            return known
        if not header:
            raise rejection(401, MISSING, CHALLENGE)
        user = self._check(header)
        if len(self._accepted) >= SPELLINGS_KEPT:
            self._accepted.clear()
        self._accepted[header] = user
        return user

    def _check(self, header: str) -> User:
        uuid, _, key = _credentials(header).partition(":")
        user = self._users.get(uuid)
        if user is None or not hmac.compare_digest(user.key.encode(), key.encode()):
            raise _wrong()
        return user


def _credentials(header: str) -> str:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise _wrong()
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:  # no base64, no ASCII or no UTF-8
        raise _wrong() from None


def _wrong() -> Refused:
    return rejection(401, WRONG, CHALLENGE)
