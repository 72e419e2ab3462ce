"""Names and ids: what may be called what, and how new ids are made."""

from __future__ import annotations

import random
import re
import secrets
import string

from cluster.openwhisk.embedded.answers import readable, rejection

MAX_NAME_LENGTH = 256
_NAME = re.compile(r"(?:\w|\w[\w@ .&-]{0,254}[\w@.&-])", re.ASCII)
_HEX = frozenset("0123456789abcdef")
_random = random.Random()  # noqa: S311 - see activation_id
_LETTERS = string.ascii_letters + string.digits

FIRST_VERSION = "0.0.1"
_VERSION = re.compile(r"\d{1,9}\.\d{1,9}\.\d{1,9}", re.ASCII)


def transaction_id(given: str | None) -> str:
    """The caller's own id, unless it pretends to be one of the platform's (`sid_`); a new one of 32 letters and digits otherwise.

    An id that is no text, for bytes of it are no UTF-8, is replaced too: it could go into no JSON.
    """
    if given and not given.startswith("sid_") and (given.isascii() or readable(given) == given):
        return given
    return "".join(secrets.choice(_LETTERS) for _ in range(32))


def activation_id() -> str:
    """A random UUID (version 4, RFC 9562) without dashes. It must be unique, not secret: so no system call for each."""
    bits = _random.getrandbits(128) & ~(0xF000_C000 << 48) | (0x4000_8000 << 48)
    return f"{bits:032x}"


def checked_name(name: str) -> str:
    """The name itself. Raises the 400 of an illegal one."""
    if len(name) > MAX_NAME_LENGTH:
        # The misspelling is OpenWhisk's.
        raise rejection(400, f"Name segement longer than allowed: {len(name)} > {MAX_NAME_LENGTH}.")
    if not _NAME.fullmatch(name):
        raise rejection(400, "The name of the entity contains illegal characters.")
    return name


def checked_activation_id(text: str) -> str:
    """The id itself. Raises the 400 of an illegal one; upper-case digits are illegal too."""
    if len(text) != 32:
        raise rejection(400, f"Activation id length is {len(text)} but must be 32.")
    if not _HEX.issuperset(text):
        raise rejection(400, "The activation id is not valid.")
    return text


def checked_version(text: str) -> str:
    if not _VERSION.fullmatch(text):
        raise rejection(400, f"The request content was malformed:\nThe version '{text}' is not of the form MAJOR.MINOR.PATCH.")
    return text


def next_version(version: str) -> str:
    """Every overwrite adds one to the patch level, whether anything changed or not."""
    major, minor, patch = version.split(".")
    return f"{major}.{minor}.{int(patch) + 1}"
