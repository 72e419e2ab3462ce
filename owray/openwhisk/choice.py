"""Which OpenWhisk a command speaks to: the rule, and the one line that says what came of it.

    order   what names it                                   why it stands there
    1       --lab NAME                                      said here and now
    2       --api-host HOST, --auth-file FILE               likewise; together with --lab it would be said twice, which is refused
    3       WHISK_APIHOST, WHISK_AUTH, WSK_CONFIG_FILE      wsk's own variables: set in this shell, so meant
    4       the lab 'local' that is up, with a platform     brought up to be loaded, until `owray down`; to load by mistake what
                                                            ~/.wskprops names, a production perhaps, is the worse surprise
    5       ~/.wskprops                                     who has an OpenWhisk means it, rather than one borrowed for a minute
    6       nothing                                         a storm borrows a lab on this machine; other commands say what to do

For 2, 3 and 5, host and key are each taken from the first place that has one, as wsk does: option, variable, file. So `--api-host` alone
goes with the key at hand. The namespace belongs to the key: it is never taken from a place below the key's. WSK_CONFIG_FILE names the file
instead of ~/.wskprops; set but empty it means that there is none. The key is never an option, since command lines are for all to read.

owray has no variables of its own for this. __OW_API_HOST and __OW_API_KEY, which actions see, are not read: they are the calling action's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from owray.openwhisk.target import NoFileError, Target, TargetError, read_key, read_properties, read_wskprops

FILE_VARIABLE = "WSK_CONFIG_FILE"
HOST_VARIABLE = "WHISK_APIHOST"
KEY_VARIABLE = "WHISK_AUTH"
NAMESPACE_VARIABLE = "WHISK_NAMESPACE"
VARIABLES = (FILE_VARIABLE, HOST_VARIABLE, KEY_VARIABLE, NAMESPACE_VARIABLE)

_USUAL_FILE = "~/.wskprops"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says of the target."""

    lab: str | None = None
    api_host: str | None = None
    auth_file: Path | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class LabPlatform:
    """The platform of a lab that is up: the lab's name, and the file with its host and key."""

    name: str
    wskprops: Path


@dataclass(frozen=True, slots=True)
class Choice:
    """The target that is used, and why this one. `of_lab` says whether it is a lab's own platform."""

    target: Target
    why: str
    of_lab: bool = False

    @property
    def line(self) -> str:
        """For people, without a key."""
        target = self.target
        namespace = "" if target.namespace == "_" else f" ({target.namespace})"
        unchecked = "; its certificate is not checked (--insecure)" if target.insecure and target.api_host.startswith("https:") else ""
        return f"target     {target.api_host}{namespace}, {self.why}{unchecked}"


@dataclass(frozen=True, slots=True)
class _Place:
    """What one place says of a target; empty where it says nothing. `host_from` and `key_from` are what to call it."""

    host: str = ""
    key: str = field(default="", repr=False)
    namespace: str = ""
    host_from: str = ""
    key_from: str = ""


def choose(asked: Asked, environment: Mapping[str, str], lab: Callable[[], LabPlatform | None]) -> Choice | None:
    """The target by the table above; None where nothing names one.

    `lab` looks for the lab that is asked for, or for the local one, and is called only where it matters: looking costs time.
    Raises TargetError for a target that is named twice, by half, or by a file that cannot be used.
    """
    if asked.lab is not None:
        if asked.api_host is not None or asked.auth_file is not None:
            other = "--api-host" if asked.api_host is not None else "--auth-file"
            raise TargetError(f"--lab and {other} each name a target.  (leave one of them out)")
        named = lab()
        return None if named is None else _of_lab(named, "by --lab")
    if asked.api_host == "":
        raise TargetError("--api-host is empty.  (an unset variable? One looks like https://openwhisk.example:443)")
    file = _file(environment)
    if not _is_named(asked, environment):
        up = lab()
        if up is not None:
            return _of_lab(up, f"which is up and goes before {_USUAL_FILE}" if file is not None and file.exists() else "which is up")
    places = [_options(asked), _variables(environment), _properties(file, environment)]
    return _from(places, asked, file)


def no_target() -> TargetError:
    """For commands that cannot do without."""
    return TargetError(
        "nothing names an OpenWhisk: no lab that has one is up, and there is no wskprops file.  "
        "(--api-host and --auth-file name one; owray up local makes one)"
    )


def _of_lab(lab: LabPlatform, why: str) -> Choice:
    return Choice(read_wskprops(lab.wskprops), f"lab '{lab.name}', {why}", of_lab=True)


def _is_named(asked: Asked, environment: Mapping[str, str]) -> bool:
    options = (asked.api_host, asked.auth_file)
    return any(option is not None for option in options) or any(map(environment.get, (HOST_VARIABLE, KEY_VARIABLE, FILE_VARIABLE)))


def _options(asked: Asked) -> _Place:
    """The file's own host counts too, after the one that is named outright."""
    properties: Mapping[str, str] = {} if asked.auth_file is None else read_key(asked.auth_file)
    file = str(asked.auth_file)
    return _Place(
        host=properties.get("APIHOST", "") if asked.api_host is None else asked.api_host,
        key=properties.get("AUTH", ""),
        namespace=properties.get("NAMESPACE", ""),
        host_from=file if asked.api_host is None else "--api-host",
        key_from=file,
    )


def _variables(environment: Mapping[str, str]) -> _Place:
    host, key, namespace = (environment.get(name, "").strip() for name in (HOST_VARIABLE, KEY_VARIABLE, NAMESPACE_VARIABLE))
    return _Place(host, key, namespace, HOST_VARIABLE, KEY_VARIABLE)


def _properties(file: Path | None, environment: Mapping[str, str]) -> _Place:
    """Of a file that is not there nothing is known; who needs it will say so."""
    shown = f"{file} ({FILE_VARIABLE})" if environment.get(FILE_VARIABLE) else _USUAL_FILE
    try:
        found: Mapping[str, str] = {} if file is None else read_properties(file, shown)
    except NoFileError:
        found = {}
    return _Place(found.get("APIHOST", ""), found.get("AUTH", ""), found.get("NAMESPACE", ""), shown, shown)


def _file(environment: Mapping[str, str]) -> Path | None:
    named = environment.get(FILE_VARIABLE)
    if named is not None:
        return Path(named).expanduser() if named else None
    return Path(environment.get("HOME") or Path.home()) / ".wskprops"


def _from(places: list[_Place], asked: Asked, file: Path | None) -> Choice | None:
    host = next((place for place in places if place.host), None)
    key = next((place for place in places if place.key), None)
    if host is None or key is None:
        missing = _missing(host, key, places[-1], file)
        if missing is None:
            return None
        raise missing
    namespace = next((place.namespace for place in places[: places.index(key) + 1] if place.namespace), "_")
    same = host.host_from == key.key_from
    return Choice(
        Target(host.host, key.key, namespace, asked.insecure, source=key.key_from, host_source=host.host_from),
        f"from {host.host_from}" if same else f"from {host.host_from}, key from {key.key_from}",
    )


def _missing(host: _Place | None, key: _Place | None, last: _Place, file: Path | None) -> TargetError | None:
    """What to say of half a target; None where there is nothing at all."""
    if last.key_from != _USUAL_FILE and file is not None and not file.exists():
        return TargetError(f"{FILE_VARIABLE} names {file}, which does not exist.  (set it to a wskprops file, or to nothing)")
    if host is not None:
        cure = "--auth-file FILE names one: uuid:key, or a wskprops file"
        return TargetError(f"there is no key for the host from {host.host_from}.  ({cure})")
    if key is not None:
        return TargetError(f"there is no host for the key from {key.key_from}.  (--api-host HOST names one)")
    if last.key_from != _USUAL_FILE and file is not None:
        return TargetError(f"{last.key_from} has neither APIHOST nor AUTH.  (wsk property set --apihost HOST adds the one)")
    return None
