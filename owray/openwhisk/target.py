"""Where an OpenWhisk is, and the key to it.

The key is in a file that wsk, OpenWhisk's own command, can read too: lines of NAME=VALUE, of which APIHOST and AUTH matter. It is never
shown: not by `repr`, not in a log, not in the text of an error. So what was given is quoted only where it can hold no key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from owray.http1.basic_auth import authorization
from owray.openwhisk.names import NAME
from owray.openwhisk.properties import PropertyError, properties_of, read_text
from owray.problems import Problem

_EXAMPLE = "one looks like https://openwhisk.example:443"
_HOST = re.compile(r"[\w.-]+|[0-9a-f:.]*:[0-9a-f:.]*(%\w+)?")
"""A name or an address; that it exists is for others to find out."""


class TargetError(Problem):
    """No target can be made of what was given; the text names cause and fix."""


class NoFileError(TargetError):
    """The file that is to say it is not there."""


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
        if not uuid or not key or not (self.auth.isascii() and self.auth.isprintable()):
            raise TargetError(f"{self.source}: AUTH is to be uuid:key, as `wsk property get --auth` shows it")
        if not NAME.fullmatch(self.namespace):
            raise TargetError(
                f"{self.source}: the namespace is no name.  (NAMESPACE, or WHISK_NAMESPACE, is to be one, or _ for the key's own)"
            )
        object.__setattr__(self, "api_host", _normal_host(self.api_host, self.host_source))

    @property
    def authorization(self) -> str:
        """The value of the Authorization header. It is the key: not for logs."""
        return authorization(self.auth)


def _normal_host(written: str, source: str) -> str:
    """Scheme, host and port. Raises TargetError."""
    if "@" in written:
        raise TargetError(f"{source}: the API host holds credentials; they belong into AUTH")
    no_host = TargetError(f"{source}: {written!r} is no API host; {_EXAMPLE}")
    if not written.isprintable():  # urlsplit leaves out what it takes for typing errors
        raise no_host
    try:
        parts = urlsplit(written if "://" in written else f"https://{written}")
        name = parts.hostname or ""
        name.encode("idna")
    except ValueError:
        raise no_host from None
    if parts.netloc.count(":") > 1 and not parts.netloc.startswith("["):
        raise TargetError(f"{source}: an IPv6 address as API host stands in brackets, as in https://[::1]:443")
    port = _port(parts, source)
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(name) or parts.query or parts.fragment:
        raise no_host
    host = f"{parts.scheme}://{f'[{name}]' if ':' in name else name}{port}"
    if parts.path.strip("/"):
        cure = f"{host} alone, if OpenWhisk answers there too; else give it a name or a port of its own"
        raise TargetError(f"{source}: {written!r} is no API host: it has a path, and owray calls /api/v1 of a host.  ({cure})")
    return host


def _port(parts: SplitResult, source: str) -> str:
    """ ":443", or nothing where none is given. What stands in its place may be a key, so it is not quoted."""
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise TargetError(f"{source}: the port of the API host is no number from 1 to 65535; {_EXAMPLE}")
    return "" if port is None else f":{port}"


def read_wskprops(path: Path) -> Target:
    """The target of a file in wsk's format. Raises TargetError when there is none, or when it lacks the host or the key."""
    properties = read_properties(path)
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
    text = _text(path, str(path))
    properties = _properties(text, str(path))
    if properties.get("AUTH"):
        return properties
    if ":" not in text or len(text.split()) != 1:
        raise TargetError(f"{path} has no key.  (it is to hold uuid:key and nothing else, or a line AUTH=uuid:key as ~/.wskprops has it)")
    return {"AUTH": text.strip().strip("\"'")}


def read_properties(path: Path, shown: str = "") -> Mapping[str, str]:
    """What a file in wsk's format says, by name in capitals; `shown` is what to call it. Raises TargetError, NoFileError among them."""
    return _properties(_text(path, shown or str(path)), shown or str(path))


def _text(path: Path, shown: str) -> str:
    try:
        return read_text(path)
    except FileNotFoundError:
        raise NoFileError(f"no credentials: {shown} does not exist.  (wsk property set --apihost HOST --auth UUID:KEY makes it)") from None
    except OSError as problem:
        raise TargetError(f"{shown} cannot be read: {problem.strerror}.  (it is to be a file that this user may read)") from None
    except UnicodeDecodeError:
        raise TargetError(f"{shown} is no text in UTF-8.  (it is to have lines APIHOST=... and AUTH=uuid:key)") from None


def _properties(text: str, shown: str) -> Mapping[str, str]:
    try:
        return properties_of(text)
    except PropertyError as problem:
        raise TargetError(f"{shown}, {problem}.  (lines are NAME=VALUE, a value may stand between quotation marks)") from None


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
