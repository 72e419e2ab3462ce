"""Files as wsk, OpenWhisk's own command, keeps them: lines of NAME=VALUE.

wsk's reading is taken, and what people write who let a shell read the file, or an editor on Windows write it:

    AUTH=uuid:key                blanks around name and value do not count; of two lines the later one holds
    export AUTH="uuid:key"       so as a shell has it; '...' as well
    # a comment                  a line of its own, or at the end of one after a blank
    anything else                passed over, as wsk does, but for a line that begins with a name that matters: that is refused

A file is read with a bound on its size and on the time that it takes, whatever it is: `--auth-file <(command)` is a pipe that somebody
has yet to write to, and /dev/zero has no end.
"""

from __future__ import annotations

import errno
import os
import re
import select
import time
from collections.abc import Iterator
from pathlib import Path

NAMES = ("APIHOST", "AUTH", "NAMESPACE")

MOST_BYTES = 1 << 20
PATIENCE_S = 30.0
"""Long enough for a command that asks somebody for a password."""

_LINE = re.compile(r"\s*(?:export\s+)?(?P<name>\w+)\s*=(?P<value>.*)", re.ASCII)
_MEANT = re.compile(rf"\s*(?:export\s+)?(?P<name>{'|'.join(NAMES)})\b", re.ASCII | re.IGNORECASE)
_COMMENT = re.compile(r"(?:^|\s+)#.*")


class PropertyError(ValueError):
    """A line that cannot be read; the text has its number, and not what stands in it: that may be the key."""


def properties_of(text: str) -> dict[str, str]:
    """The properties by name in capitals. Raises PropertyError."""
    return dict(_properties(text))


def _properties(text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        found = _LINE.fullmatch(line)
        if found is None:
            meant = _MEANT.match(line)
            if meant is not None:
                name = meant["name"].upper()
                raise PropertyError(f"line {number} begins with {name}, but is not {name}=VALUE")
            continue
        value = _bare(found["value"].strip())
        if value is None:
            raise PropertyError(f"line {number}: the value is not what stands between two quotation marks")
        yield found["name"].upper(), value


def _bare(value: str) -> str | None:
    """A value without its quotation marks and the comment after it; None where these are none that a shell would understand."""
    if not value.startswith(('"', "'")):
        return _COMMENT.sub("", value)
    inside, end, after = value[1:].partition(value[0])
    return inside.strip() if end and not _COMMENT.sub("", after) else None


def read_text(path: Path, patience_s: float = PATIENCE_S) -> str:
    """What a file holds, without the mark that some editors put before it.

    Raises OSError, also where it holds more than MOST_BYTES or nobody has written to it to the end within `patience_s`; UnicodeDecodeError.
    """
    give_up_at_s = time.monotonic() + patience_s
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)  # one that nobody writes to is no reason to wait
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        content = b""
        while len(content) <= MOST_BYTES:
            if not poll.poll(max(0.0, give_up_at_s - time.monotonic()) * 1000):
                raise TimeoutError(errno.ETIMEDOUT, f"nobody has written to it to the end within {patience_s:g} s")
            try:
                more = os.read(descriptor, MOST_BYTES)
            except BlockingIOError:  # another reader was first
                continue
            if not more:
                return content.decode("utf-8-sig")
            content += more
        raise OSError(errno.EFBIG, f"it holds more than {MOST_BYTES:,} bytes")
    finally:
        os.close(descriptor)
