"""Basic credentials (RFC 7617): the header that carries them, and the forms in which nobody is to see them.

A server may put what it was sent into the text of an error. Such a text goes to terminals, rows and reports, so the key is taken out of
it first.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import reduce

HIDDEN = "(the key)"

_SHORTEST_SECRET = 8
"""Characters of a password below which it is no secret, and may well be part of a word."""


def authorization(auth: str) -> str:
    """The value of the Authorization header for "user:password". It is the key: not for logs."""
    return f"Basic {_encoded(auth)}"


def hiding(auth: str) -> Callable[[str], str]:
    """Takes "user:password" out of a text: as it is, its password alone, and as the header has it."""
    password = auth.partition(":")[2]
    forms = [auth, _encoded(auth), *([password] if len(password) >= _SHORTEST_SECRET else [])]
    secrets = [*forms, *(form.replace("/", r"\/") for form in forms if "/" in form)]  # as some write it in JSON

    def hide(text: str) -> str:
        return reduce(lambda left, secret: left.replace(secret, HIDDEN), secrets, text)

    return hide


def _encoded(auth: str) -> str:
    return base64.b64encode(auth.encode()).decode()
