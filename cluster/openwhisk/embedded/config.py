"""Who may call the platform, and how it behaves: users, knobs, profiles.

A profile is a complete set of knobs with a name. `standalone` is what the real standalone server has out of the box; `bench` is what
OpenWhisk's own performance tests use: limits out of the way and logs out of band, so that the platform and not a throttle is measured.
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
from typing import Any, Literal

LogStore = Literal["docker-cli", "driver"]
"""`docker-cli`: collected after every activation, as standalone does. `driver`: out of band, records hold none (LogDriverLogStore)."""

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


PUBLIC_GUEST = User(
    "guest",
    "23bc46b1-71f6-4ed5-8c54-816aa4f8c502",
    "123zO3xZCLrMN6v2BKK1dXYFpXlPkccOFqm12CdAsMgRU4VrNZ9lyGVCGuMDGIwP",
)
"""The key that every OpenWhisk ships and everybody knows: only for who asks for it."""


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
    parallel_starts: int = 10
    idle_container_s: int = 610
    """Ten seconds of pause-grace and ten minutes of idle-container: after that a container that nobody used is removed."""
    log_store: LogStore = "docker-cli"
    container_start_delay_ms: int = 0
    """Own addition: what `docker run` would take."""
    log_delay_ms: int = 0
    """Own addition: what reading the logs would take, during which the container is busy."""
    activation_store_mb: int = 256
    """Own addition: records beyond this are dropped, oldest first."""

    def __post_init__(self) -> None:
        if self.user_memory_mb < self.memory_mb.greatest:
            raise ConfigError(
                f"user_memory_mb is {self.user_memory_mb}, but an action may ask for {self.memory_mb.greatest} MB and would wait for ever; "
                f"set user_memory_mb to at least {self.memory_mb.greatest}"
            )


PROFILES: Mapping[str, Knobs] = MappingProxyType(
    {
        "bench": Knobs(user_memory_mb=2048, invocations_per_minute=999_999, concurrent_invocations=999_999, log_store="driver"),
        "standalone": Knobs(),
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
            changes[name] = _as_range(name, value) if isinstance(getattr(PROFILES[self.profile], name), Range) else value
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
