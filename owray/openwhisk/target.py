"""Where an OpenWhisk is, and the key to it.

The key is in a file that wsk, OpenWhisk's own command, can read too: lines of NAME=VALUE, of which APIHOST and AUTH matter. It is never
shown: not by `repr`, not in a log, not in the text of an error.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from owray.problems import Problem


class TargetError(Problem):
    """No target can be made of what was given; the text names cause and fix."""


@dataclass(frozen=True, slots=True)
class Target:
    """An API host with credentials.

    `api_host` is a URL without a path ("http://127.0.0.1:3233"; https where no scheme is given, as wsk has it), `auth` is "uuid:key".
    `insecure` accepts a certificate that nobody vouches for. `source` says where the key came from, for people to read, and
    `host_source` where the address did, if not from there too.
    """

    api_host: str
    auth: str = field(repr=False)
    namespace: str = "_"
    insecure: bool = False
    source: str = "the command line"
    host_source: str = ""

    def __post_init__(self) -> None:
        if not self.host_source:
            object.__setattr__(self, "host_source", self.source)
        uuid, _, key = self.auth.partition(":")
        if not uuid or not key or not self.auth.isascii():
            raise TargetError(f"{self.source}: AUTH is to be uuid:key, as `wsk property get --auth` shows it")
        object.__setattr__(self, "api_host", _normal_host(self.api_host, self.host_source))

    @property
    def authorization(self) -> str:
        """The value of the Authorization header. It is the key: not for logs."""
        return "Basic " + base64.b64encode(self.auth.encode()).decode()


def _normal_host(written: str, source: str) -> str:
    no_host = TargetError(f"{source}: {written!r} is no API host; one looks like https://openwhisk.example:443")
    if not written.isprintable():  # urlsplit leaves out what it takes for typing errors
        raise no_host
    try:
        parts = urlsplit(written if "://" in written else f"https://{written}")
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise no_host from None
    if "@" in parts.netloc:
        raise TargetError(f"{source}: the API host holds credentials; they belong into AUTH")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query or not _has_usable_port(parts):
        raise no_host
    return f"{parts.scheme}://{parts.netloc}"


def _has_usable_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def read_wskprops(path: Path) -> Target:
    """The target of a file in wsk's format. Raises TargetError when there is none, or when it lacks the host or the key."""
    properties = properties_of(_text(path))
    for name in ("APIHOST", "AUTH"):
        if not properties.get(name):
            raise TargetError(f"{path} has no {name}.  (wsk property set --{name.lower()} VALUE adds it)")
    return Target(
        api_host=properties["APIHOST"],
        auth=properties["AUTH"],
        namespace=properties.get("NAMESPACE") or "_",
        source=str(path),
    )


def read_key(path: Path) -> Mapping[str, str]:
    """The properties of a file that holds a key: in wsk's format, or nothing but uuid:key. Raises TargetError when it has no key."""
    text = _text(path)
    properties = properties_of(text)
    if not properties.get("AUTH"):
        properties = {"AUTH": text.strip()}
        if ":" not in text or len(text.split()) != 1:
            raise TargetError(
                f"{path} has no key.  (it is to hold uuid:key and nothing else, or a line AUTH=uuid:key as ~/.wskprops has it)"
            )
    return properties


def properties_of(text: str) -> dict[str, str]:
    """The lines NAME=VALUE of a file in wsk's format, by name in capitals."""
    return dict(_property(line) for line in text.splitlines() if "=" in line and not line.lstrip().startswith("#"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TargetError(f"no credentials: {path} does not exist.  (wsk property set --apihost HOST --auth UUID:KEY makes it)") from None
    except OSError as problem:
        raise TargetError(f"{path} cannot be read: {problem.strerror}.  (it is to be a file that this user may read)") from None
    except UnicodeDecodeError:
        raise TargetError(f"{path} is no text.  (it is to have lines APIHOST=... and AUTH=uuid:key)") from None


def _property(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.strip().upper(), value.strip()


def write_wskprops(path: Path, target: Target) -> None:
    """Writes the file, readable by its owner only from the first byte on, in one step: a reader sees the old one or the new one,
    also after the machine has stopped."""
    text = f"APIHOST={target.api_host}\nAUTH={target.auth}\nNAMESPACE={target.namespace}\nAPIVERSION=v1\n"
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # a rename is on disk only when its folder is
    finally:
        os.close(folder)
