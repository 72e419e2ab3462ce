"""Bringing up a lab on this machine: the embedded platform and a Ray, side by side, or the Ray alone for an OpenWhisk elsewhere.

Each step is on record before it is taken (see cluster.state), so a second `up` does only what is missing.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import string
import sys
import sysconfig
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster import cores, processes, ray
from cluster.starting import Say, Start, start_all
from cluster.state import Journal, LabError, LabFolder, LabState, OpenWhiskKind, Service, boot_id, read_state
from owray.openwhisk import choice
from owray.openwhisk.target import Target, TargetError, read_wskprops, write_wskprops

if TYPE_CHECKING:
    from cluster.openwhisk.embedded.config import PlatformConfig

DEFAULT_PROFILE = "bench"
_NAMESPACE = "guest"
_LIMITS = "/api/v1/namespaces/_/limits"
_NO_ANSWER = "does not answer"


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """What is asked of a local lab. None means: as the lab is, or the default if it has to be made.

    `overrides` are knobs of the platform by name, as JSON has them; one that is not named is likewise left as it is.
    """

    profile: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    port: int | None = None
    public_keys: bool | None = None
    openwhisk: OpenWhiskKind | None = None

    @property
    def shape_a_platform(self) -> bool:
        """Whether anything is asked that only a platform can have."""
        return any((self.profile, self.overrides, self.port, self.public_keys))


class PlatformStart:
    """One start of the embedded platform, with a fresh key."""

    part = "platform"
    called = "the platform"
    timeout_s = 30.0

    def __init__(self, folder: LabFolder, config: PlatformConfig, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._config = config
        self._environment = environment
        self._process: processes.Mark | None = None

    @property
    def logs(self) -> tuple[Path, ...]:
        return (self._log,)

    @property
    def _log(self) -> Path:
        return self._folder.logs / "platform.log"

    def begin(self) -> Service:
        self._listening.unlink(missing_ok=True)
        path = self._folder.platform / "config.json"
        self._config.save(path)
        command = [sys.executable, "-P", "-m", "cluster.openwhisk.embedded", str(path)]
        pid = processes.start(command, {**self._environment, processes.PART_VARIABLE: self.part}, self._log)
        self._process = processes.mark(pid, self.part)
        return Service("started", (self._process,) if self._process else ())

    def poll(self) -> Service | None:
        if self._process is None or not processes.alive(self._process):
            raise LabError(f"the platform ended while it started: {processes.last_line(self._log).removeprefix('owray: ')}")
        try:
            heard = json.loads(self._listening.read_text())
        except FileNotFoundError:
            return None
        address = f"{heard['host']}:{heard['port']}"
        user = self._config.users[0]
        target = Target(api_host=f"http://{address}", auth=f"{user.uuid}:{user.key}", source=f"lab '{self._folder.name}'")
        write_wskprops(self._folder.wskprops, target)
        return Service("ready", (self._process,), address)

    def close(self) -> None:
        """Nothing is held."""

    def undo(self) -> list[processes.Mark]:
        from cluster.openwhisk.embedded.memory import remove_left

        stubborn = processes.end_all_of(self._folder.lab_id, self.part)
        remove_left(self._folder.platform)
        return stubborn

    def described(self, service: Service) -> str:
        return f"platform up at http://{service.address} ({self._config.profile} profile)"

    @property
    def _listening(self) -> Path:
        return self._folder.platform / "listening.json"


def bring_up(folder: LabFolder, options: LocalOptions, say: Say, borrower: processes.Mark | None = None) -> LabState:
    """Start what a lab lacks; the caller holds its lock. Raises LabError.

    Whatever ends it early, what it has started is taken down again; the folder stays.
    """
    state = _settled(folder, options, borrower)
    config = _platform_config(folder, state) if state.openwhisk == "embedded" else None
    lacks_platform = config is not None and bool(platform_trouble(folder, state))
    if config is not None and lacks_platform:
        _clear(folder.lab_id, PlatformStart.part)
        _try_port(config)
    folder.make()
    journal = Journal(folder.state, state)
    journal.record()
    environment = _environment(folder.lab_id)
    starts: list[Start] = []
    if config is not None and lacks_platform:
        starts.append(PlatformStart(folder, config, environment))
    if ray_trouble(journal.state):
        _clear(folder.lab_id, ray.RayStart.part)
        for old in ray.temp_dirs(folder.lab_id, journal.state.temp_dir):
            ray.remove_temp_dir(old)
        temp_dir = ray.new_temp_dir()
        journal.record(temp_dir=str(temp_dir))
        starts.append(ray.RayStart(folder, temp_dir, journal.state.cores, environment))
    start_all(starts, journal, folder.home, say)
    return journal.state


def platform_trouble(folder: LabFolder, state: LabState) -> str:
    """Why the recorded platform cannot be used, in a few words; empty where it can, or where there is to be none."""
    if state.openwhisk == "none":
        return ""
    if state.platform is None or not _lives(state, state.platform):
        return _NO_ANSWER
    return serving_trouble(folder, state.platform)


def ray_trouble(state: LabState) -> str:
    """Why the recorded Ray cannot be used; empty where it can."""
    lives = state.ray is not None and _lives(state, state.ray) and ray.answers(state.ray, Path(state.temp_dir))
    return "" if lives else _NO_ANSWER


def serving_trouble(folder: LabFolder, service: Service, timeout_s: float = 5.0) -> str:
    """Why a platform that runs serves nobody; empty where it serves.

    A ping needs neither a key nor a namespace: a platform that has lost them answers it, and refuses every call.
    """
    asked = "/ping"
    connection = http.client.HTTPConnection(service.address, timeout=timeout_s)
    try:
        if _status(connection, asked, {}) != http.HTTPStatus.OK:
            return _NO_ANSWER
        asked = _LIMITS
        status = _status(connection, asked, {"Authorization": read_wskprops(folder.wskprops).authorization})
    except TargetError:
        return f"its key cannot be read ({folder.wskprops})"
    except (OSError, http.client.HTTPException):
        return _NO_ANSWER if asked != _LIMITS else f"answers pings only: GET {asked} has no answer"
    finally:
        connection.close()
    return "" if status == http.HTTPStatus.OK else f"answers pings only: GET {asked} with its own key gives {status}"


def incidents(service: Service, timeout_s: float = 5.0) -> tuple[str, ...]:
    """What a platform has outlived since its start, one line each; nothing where it does not say."""
    connection = http.client.HTTPConnection(service.address, timeout=timeout_s)
    try:
        connection.request("GET", "/")
        lost = json.loads(connection.getresponse().read())["embedded"]["lost"]
        containers, zygotes = int(lost["idle_containers"]), int(lost["zygotes"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return ()
    finally:
        connection.close()
    told = []
    if containers:
        told.append(f"{containers} idle container{'s' if containers > 1 else ''} ended without being told to")
    if zygotes:
        told.append(f"the server that forks containers ended {'once' if zygotes == 1 else f'{zygotes} times'} and was started again")
    return tuple(told)


def _status(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> int:
    connection.request("GET", path, headers=dict(headers))
    response = connection.getresponse()
    response.read()
    return response.status


def _lives(state: LabState, service: Service) -> bool:
    return service.stage == "ready" and state.boot_id == boot_id() and all(map(processes.alive, service.processes))


def _settled(folder: LabFolder, options: LocalOptions, borrower: processes.Mark | None) -> LabState:
    """The state to go on from: the recorded one, with what is asked where that can still be had, else a new one."""
    recorded = read_state(folder)
    if recorded is None or recorded.boot_id != boot_id():
        asked = _new_state(folder, options, borrower, temp_dir=recorded.temp_dir if recorded else "")
    else:
        asked = replace(
            recorded,
            openwhisk=options.openwhisk or recorded.openwhisk,
            profile=options.profile or recorded.profile,
            overrides={**recorded.overrides, **options.overrides},
            port=options.port or recorded.port,
            public_keys=recorded.public_keys if options.public_keys is None else options.public_keys,
        )
        # With a platform and without one cores are divided otherwise, which Ray learns when it starts: so that is settled for good.
        if asked.openwhisk != recorded.openwhisk or (
            asked != recorded and recorded.openwhisk != "none" and not platform_trouble(folder, recorded)
        ):
            raise LabError(
                f"lab '{folder.name}' is up with {_described(recorded)}, not {_described(asked)}; "
                f"remove it first (owray down --lab {folder.name}) or name another one with --lab"
            )
    if asked.openwhisk == "none" and options.shape_a_platform:
        raise LabError(f"lab '{folder.name}' is without an OpenWhisk: it has no profile, knobs, port or keys to set.  (leave them out)")
    return asked


def _new_state(folder: LabFolder, options: LocalOptions, borrower: processes.Mark | None, temp_dir: str) -> LabState:
    return LabState(
        lab_id=folder.lab_id,
        name=folder.name,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        boot_id=boot_id(),
        profile=options.profile or DEFAULT_PROFILE,
        cores=cores.of_this_process(platform=options.openwhisk != "none"),
        temp_dir=temp_dir,
        openwhisk=options.openwhisk or "embedded",
        overrides=dict(options.overrides),
        port=options.port or 0,
        public_keys=bool(options.public_keys),
        borrower=borrower,
    )


def _described(state: LabState) -> str:
    if state.openwhisk == "none":
        return "no OpenWhisk"
    wanted = [f"{knob} {value}" for knob, value in state.overrides.items()]
    wanted += [f"port {state.port}"] if state.port else []
    wanted += ["the public keys"] if state.public_keys else []
    return f"the {state.profile} profile" + (f" ({', '.join(wanted)})" if wanted else "")


def _platform_config(folder: LabFolder, state: LabState) -> PlatformConfig:
    """What the platform is told, with a fresh key where the public ones are not asked for. Raises LabError for what it cannot have."""
    from cluster.openwhisk.embedded.config import KEY_LENGTH, PUBLIC_GUEST, PUBLIC_SYSTEM, ConfigError, PlatformConfig, User

    own = (User(_NAMESPACE, str(uuid.uuid4()), _secret(KEY_LENGTH)),)
    try:
        return PlatformConfig(
            state_dir=folder.platform,
            users=(PUBLIC_GUEST, PUBLIC_SYSTEM) if state.public_keys else own,
            port=state.port,
            profile=state.profile,
            overrides=state.overrides,
            front_cores=state.cores.front,
            container_cores=state.cores.containers,
        )
    except ConfigError as error:
        raise LabError(str(error)) from error


def _try_port(config: PlatformConfig) -> None:
    """Raises LabError for a port that cannot be had: before anything is made, so that nothing is left of a lab that cannot be."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the platform does: one that was just let go of is free
        try:
            probe.bind((config.host, config.port))
        except OSError as problem:
            reason = os.strerror(problem.errno or 0)
            raise LabError(f"port {config.port} cannot be had: {reason}.  (--port names another one, else a free one is taken)") from None


def _clear(lab_id: str, part: str) -> None:
    """End what an earlier start has left."""
    stubborn = processes.end_all_of(lab_id, part)
    if stubborn:
        raise LabError(f"cannot end what an earlier start has left: {', '.join(map(str, stubborn))}")


def _environment(lab_id: str) -> dict[str, str]:
    """The environment of the lab's services: the caller's and the lab's id, without settings of other Rays, without a key."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_") and name not in choice.VARIABLES}
    kept[processes.LAB_VARIABLE] = lab_id
    root = Path(__file__).resolve().parent.parent
    if str(root) != sysconfig.get_path("purelib"):
        # A checkout: what is started from `/` must find these packages too.
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH", ""))))
    return kept


def _secret(length: int) -> str:
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(length))
