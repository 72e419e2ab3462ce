"""Who may call the platform, and how it behaves: users, knobs, profiles.

A profile is a complete set of knobs with a name. `standalone` is what the real standalone server has out of the box, `helm` what the chart
deploys; `bench` is what OpenWhisk's own performance tests use: limits out of the way and logs out of band, so that the platform and not a
throttle is measured.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

LogStore = Literal["docker-cli", "file", "driver"]
"""`docker-cli`: collected after every activation, as standalone does. `file`: with stream names and a limit, as a cluster does. `driver`:
out of band, records hold none (LogDriverLogStore)."""

StoreLevel = Literal["always", "failures", "failures-not-application-errors"]
"""Which activations get a record (OpenWhisk's `disableStoreResult` and its kin)."""

WarmChoice = Literal["arbitrary", "latest"]
"""Among several warm containers: any, as the real pool's hash map gives them; or the one used last, which keeps few of them hot."""

MemoryLimit = Literal["auto", "cgroup", "rlimit", "none"]
"""How an action's memory is bounded; `auto` is the first of them that this machine can do."""

KEY_LENGTH = 64
"""A secret of any other length counts as malformed."""

MIB = 1024 * 1024


class ConfigError(ValueError):
    """The configuration cannot be used; the text names the cause and the fix."""


@dataclass(frozen=True, slots=True)
class User:
    """A namespace and the credentials that open it."""

    namespace: str
    uuid: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_LENGTH:
            raise ConfigError(f"the key of namespace '{self.namespace}' has {len(self.key)} characters; OpenWhisk's have {KEY_LENGTH}")


@dataclass(frozen=True, slots=True)
class StemCell:
    """Containers of a family that are started before anybody calls (the runtimes manifest's `stemCells`).

    `count` at start; with `ttl_ms`, one that nobody used for so long is removed, down to `least`, and every `threshold` cold starts ask for
    `increment` more, up to `most`.
    """

    family: str
    count: int
    memory_mb: int
    least: int = 1
    most: int = 4
    ttl_ms: int = 120_000
    threshold: int = 1
    increment: int = 1

    def __post_init__(self) -> None:
        counts = (self.count, self.least, self.increment, self.ttl_ms, self.most - self.least)
        if min(counts) < 0 or min(self.threshold, self.memory_mb) < 1:
            raise ConfigError(f"{self} cannot be: threshold and memory_mb are 1 at least, the others 0, and least is not above most")


PUBLIC_SYSTEM = User(
    "whisk.system",
    "789c46b1-71f6-4ed5-8c54-816aa4f8c502",
    "abczO3xZCLrMN6v2BKK1dXYFpXlPkccOFqm12CdAsMgRU4VrNZ9lyGVCGuMDGIwP",
)
PUBLIC_GUEST = User(
    "guest",
    "23bc46b1-71f6-4ed5-8c54-816aa4f8c502",
    "123zO3xZCLrMN6v2BKK1dXYFpXlPkccOFqm12CdAsMgRU4VrNZ9lyGVCGuMDGIwP",
)
"""The keys that every OpenWhisk ships and everybody knows: only for who asks for them."""


@dataclass(frozen=True, slots=True)
class Range:
    """Least, default and greatest value of an action's limit."""

    least: int
    default: int
    greatest: int


@dataclass(frozen=True, slots=True)
class Knobs:
    """Defaults are those of OpenWhisk's application.conf as the standalone server has them."""

    user_memory_mb: int = 1024
    invocations_per_minute: int = 60
    concurrent_invocations: int = 30
    fires_per_minute: int = 60
    sequence_length: int = 50
    timeout_ms: Range = Range(100, 60_000, 300_000)
    memory_mb: Range = Range(128, 256, 512)
    logs_mb: Range = Range(0, 10, 10)
    concurrency: Range = Range(1, 1, 1)
    blocking_wait_ms: int = 60_000
    payload_bytes: int = MIB
    result_bytes: int = MIB
    parameter_bytes: int = MIB
    code_bytes: int = 48 * MIB
    request_timeout_ms: int = 65_000
    body_timeout_ms: int = 30_000
    parallel_starts: int = 10
    start_timeout_ms: int = 60_000
    pauses: bool = True
    """Whether an idle container is paused; with the Kubernetes factory pausing does nothing."""
    pause_grace_ms: int = 10_000
    idle_container_ms: int = 600_000
    """Counted from the pause: then a container that nobody used is removed."""
    stem_cells: tuple[StemCell, ...] = (StemCell("nodejs", 2, 256),)
    prewarm_upkeep_ms: int = 600_000
    """How often stem cells that nobody used are replaced by as many as cold starts ask for."""
    warm_choice: WarmChoice = "arbitrary"
    memory_limit: MemoryLimit = "auto"
    oom_wait_ms: int = 2_000
    """How long docker's flag of an exhausted memory is looked for after a container broke, before the call is answered."""
    store_blocking: StoreLevel = "always"
    store_non_blocking: StoreLevel = "always"
    python_3: bool = False
    """Whether the kind is called python:3, as older deployments do."""
    healthy_invokers: int = 0
    """What `/invokers/healthy/count` says: the lean balancer of the standalone server says 0."""
    log_store: LogStore = "docker-cli"
    container_start_delay_ms: int = 0
    """Own addition: what `docker run` would take."""
    log_delay_ms: int = 0
    """Own addition: what reading the logs would take, during which the container is busy."""
    clock_skew_ms: int = 0
    """Own addition: how far the clock of the (OpenWhisk) invoker is ahead of the controller's."""
    activation_store_mb: int = 256
    """Own addition: records beyond this are dropped, oldest first."""

    def __post_init__(self) -> None:
        for knob in fields(self):
            _check(knob.name, getattr(self, knob.name))
        if self.user_memory_mb < self.memory_mb.greatest:
            raise ConfigError(
                f"user_memory_mb is {self.user_memory_mb}, but an action may ask for {self.memory_mb.greatest} MB and would wait for ever; "
                f"set user_memory_mb to at least {self.memory_mb.greatest}"
            )
        lines = [(cell.family, cell.memory_mb) for cell in self.stem_cells]
        if len(set(lines)) < len(lines):
            raise ConfigError("stem_cells has two lines of one family and memory; make one of them, with their counts added up")
        stems_mb = sum(cell.count * cell.memory_mb for cell in self.stem_cells)
        if self.user_memory_mb < stems_mb + self.memory_mb.greatest:
            raise ConfigError(
                f"user_memory_mb is {self.user_memory_mb}, of which stem cells take {stems_mb}, but an action may ask for "
                f"{self.memory_mb.greatest} MB and would wait for ever; set user_memory_mb to at least "
                f"{stems_mb + self.memory_mb.greatest}, or have fewer stem_cells"
            )
        for name in ("pause_grace_ms", "idle_container_ms", "prewarm_upkeep_ms", "start_timeout_ms"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it is a time in milliseconds, more than 0")


_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "log_store": get_args(LogStore),
        "store_blocking": get_args(StoreLevel),
        "store_non_blocking": get_args(StoreLevel),
        "warm_choice": get_args(WarmChoice),
        "memory_limit": get_args(MemoryLimit),
    }
)
_AT_LEAST = {"parallel_starts": 1, "sequence_length": 1, "activation_store_mb": 1, "start_timeout_ms": 1, "request_timeout_ms": 1}
_SIGNED = "clock_skew_ms"


def _check(name: str, value: Any) -> None:
    """Raises ConfigError for a value that no knob of this name can have."""
    if name in _WORDS:
        if value not in _WORDS[name]:
            raise ConfigError(f"{name} is {value!r}, which is none of {', '.join(_WORDS[name])}")
    elif isinstance(value, Range):
        if not 0 <= value.least <= value.default <= value.greatest:
            raise ConfigError(f"{name} goes from {value.least} by {value.default} to {value.greatest}; that is no range")
    elif isinstance(value, int) and name != _SIGNED and value < _AT_LEAST.get(name, 0):
        raise ConfigError(f"{name} is {value}; set it to at least {_AT_LEAST.get(name, 0)}")


PROFILES: Mapping[str, Knobs] = MappingProxyType(
    {
        "standalone": Knobs(),
        "helm": Knobs(user_memory_mb=2048, pauses=False, log_store="file", python_3=True, oom_wait_ms=0),
        "bench": Knobs(
            user_memory_mb=2048,
            invocations_per_minute=999_999,
            concurrent_invocations=999_999,
            fires_per_minute=999_999,
            stem_cells=(),
            warm_choice="latest",
            oom_wait_ms=0,
            log_store="driver",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class PlatformConfig:
    """All that the platform process is told. `overrides` change single knobs of the profile; `port` 0 takes a free one."""

    state_dir: Path
    users: tuple[User, ...]
    host: str = "127.0.0.1"
    port: int = 0
    profile: str = "bench"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    front_cores: tuple[int, ...] = ()
    container_cores: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.users:
            raise ConfigError("a platform without users can be called by nobody; name at least one")
        if not _is_loopback(self.host):
            raise ConfigError(f"host is '{self.host}', but actions run unconfined: listen on a loopback address such as 127.0.0.1")
        self.knobs()

    def knobs(self) -> Knobs:
        """The profile with its overrides. Raises ConfigError for a profile or a knob that does not exist."""
        if self.profile not in PROFILES:
            raise ConfigError(_unknown("profile", self.profile, PROFILES))
        known = {knob.name: knob for knob in fields(Knobs)}
        changes: dict[str, Any] = {}
        for name, value in self.overrides.items():
            if name not in known:
                raise ConfigError(_unknown("knob", name, known))
            changes[name] = _as_knob(name, value, getattr(PROFILES[self.profile], name))
        return replace(PROFILES[self.profile], **changes)

    def save(self, path: Path) -> None:
        """Write the file that `load` reads, readable by its owner only: it holds keys."""
        values = asdict(self) | {"state_dir": str(self.state_dir)}
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            json.dump(values, file, indent=1)

    @classmethod
    def load(cls, path: Path) -> PlatformConfig:
        """Raises ConfigError where the file is not a configuration."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                **values
                | {
                    "state_dir": Path(values["state_dir"]),
                    "users": tuple(User(**user) for user in values["users"]),
                    "front_cores": tuple(values.get("front_cores", ())),
                    "container_cores": tuple(values.get("container_cores", ())),
                }
            )
        except (OSError, TypeError, KeyError, json.JSONDecodeError) as error:
            raise ConfigError(f"{path} is not a configuration of the platform: {error!r}") from error


def _as_knob(name: str, value: Any, example: Any) -> Any:
    """A knob's value from JSON or from Python."""
    if isinstance(example, Range):
        return _as_range(name, value)
    if name == "stem_cells":
        return tuple(cell if isinstance(cell, StemCell) else StemCell(**cell) for cell in value)
    return value


def _as_range(name: str, value: Any) -> Range:
    if isinstance(value, Range):
        return value
    if isinstance(value, Mapping):
        return Range(**value)
    raise ConfigError(f"the knob '{name}' is a range and takes least, default and greatest, not {value!r}")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unknown(what: str, name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return f"no {what} named '{name}'.{hint}  (there are {', '.join(sorted(known))})"
