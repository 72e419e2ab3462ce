"""The platform as a whole: its parts wired together, started and stopped."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import resource
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from cluster.openwhisk.embedded.action_api import ActionApi
from cluster.openwhisk.embedded.activation_api import ActivationApi
from cluster.openwhisk.embedded.activations import Activations
from cluster.openwhisk.embedded.answers import Answer, json_answer, refusal, text_answer
from cluster.openwhisk.embedded.auth import Authentication
from cluster.openwhisk.embedded.calls import Call, Handler, OpenHandler
from cluster.openwhisk.embedded.clock import Clock
from cluster.openwhisk.embedded.components import Components
from cluster.openwhisk.embedded.config import MIB, PlatformConfig
from cluster.openwhisk.embedded.containers import Containers
from cluster.openwhisk.embedded.counters import Counters
from cluster.openwhisk.embedded.entities import Entities
from cluster.openwhisk.embedded.front import Front, PublicHandler, server_log
from cluster.openwhisk.embedded.info import api_info, root_info
from cluster.openwhisk.embedded.kinds import local_kinds
from cluster.openwhisk.embedded.limits import namespace_limits
from cluster.openwhisk.embedded.memory import memory_limits
from cluster.openwhisk.embedded.metrics import Metrics
from cluster.openwhisk.embedded.operations import Operations
from cluster.openwhisk.embedded.package_api import PackageApi
from cluster.openwhisk.embedded.pipeline import Pipeline
from cluster.openwhisk.embedded.resolve import Resolver
from cluster.openwhisk.embedded.routes import Place
from cluster.openwhisk.embedded.rule_api import RuleApi
from cluster.openwhisk.embedded.sequence_runs import SequenceRuns
from cluster.openwhisk.embedded.throttles import Throttles
from cluster.openwhisk.embedded.trigger_api import TriggerApi
from cluster.openwhisk.embedded.web_actions import WebActions

if TYPE_CHECKING:
    from asyncio import Task

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.streams import StreamReader
    from aiohttp.web_protocol import RequestHandler

BACKLOG = 4096
KEEP_ALIVE_S = 70.0
"""Idle connections are closed after this; the controller's idle-timeout."""

LINGERING_S = 1.0
"""How long what comes after an answer is still read, so that a client in the middle of its body may read why it was refused."""

SHUTDOWN_S = 0.5
"""Calls in flight may still be answered for so long when the platform is stopped; then they are cut."""

MAX_BODY_BYTES = 50 * MIB
"""The framework's limit, far above those of the API."""

GC_THRESHOLDS = (50_000, 50, 100)
"""A collection walks all that is tracked; the defaults do so many times a second under load."""

PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "OWRAY_LAB")
"""What containers see of the platform's environment. OWRAY_LAB is how strays are found."""

_log = logging.getLogger(__name__)


class Platform:
    """One platform in this process. `start` returns when it accepts requests."""

    def __init__(self, config: PlatformConfig) -> None:
        self._config = config
        self._knobs = knobs = config.knobs()
        self._kinds = local_kinds(python_3=knobs.python_3)
        cores = sorted(config.container_cores or os.sched_getaffinity(0))
        self._clock = Clock(knobs.clock_skew_ms)
        self._counters = Counters()
        self._memory = memory_limits(knobs.memory_limit, config.state_dir)
        self._containers = Containers(config.state_dir / "containers", knobs, cores, self._memory)
        self._throttles = Throttles(knobs, self._clock)
        self._activations = Activations(knobs.activation_store_mb * MIB, self._counters)
        self._pipeline = Pipeline(knobs, self._containers, self._throttles.concurrency, self._activations, self._counters, self._clock)
        self._entities = Entities()
        self._resolver = Resolver(self._entities)
        self._sequences = SequenceRuns(Components(knobs, self._resolver), self._pipeline, self._clock)
        self._actions = ActionApi(
            knobs, self._kinds, self._entities, self._resolver, self._pipeline, self._sequences, self._throttles, self._clock
        )
        self._triggers = TriggerApi(knobs, self._entities, self._actions, self._pipeline, self._throttles, self._clock)
        self._front = Front(
            Authentication(config.users), self._public(), self._handlers(), self._open_handlers(), self._counters, self._clock, knobs
        )
        self._runner: web.ServerRunner | None = None

    async def start(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        config = self._config
        await self._containers.open()
        if config.front_cores:
            os.sched_setaffinity(0, config.front_cores)
        server = web.Server(
            self._front.handle,
            request_factory=partial(_request, asyncio.get_running_loop()),
            access_log=None,
            logger=server_log,
            keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGERING_S,
            auto_decompress=False,  # the real one takes a packed body for what it is, and a small one could unpack to anything
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, config.host, config.port, backlog=BACKLOG)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self._front.hosts = _own_hosts(config.host, port)
        self._containers.environment = _environment(config.host, port)
        self._pipeline.begin(self._kinds)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        _log.info("listening on http://%s:%d, profile %s, memory limited by %s", host, port, config.profile, self._memory.way)
        return host, port

    async def stop(self) -> None:
        """No container is left when this returns."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self._triggers.stop()
        await self._sequences.stop()
        await self._pipeline.stop()
        await self._containers.close()

    def _public(self) -> dict[Place, PublicHandler]:
        root = root_info(self._config, self._kinds, self._memory.way)
        api = json_answer(api_info())

        async def info() -> Answer:
            lost = {"idle_containers": self._counters.containers_lost, "zygotes": self._containers.zygotes_lost}
            return json_answer({**root, "embedded": {**root["embedded"], "lost": lost}})

        async def about_api() -> Answer:
            return api

        async def ping() -> Answer:
            return text_answer("pong")

        metrics = Metrics(self._counters, self._pipeline, self._activations)
        operations = Operations(self._knobs, self._pipeline, metrics)
        return {"root": info, "api": about_api, "ping": ping, **operations.public()}

    def _handlers(self) -> dict[tuple[Place, str], Handler]:
        """What is asked of a namespace, by who has its key."""
        packages = PackageApi(self._knobs, self._entities, self._clock)
        rules = RuleApi(self._knobs, self._entities, self._resolver, self._clock)
        activations = ActivationApi(self._knobs, self._activations)
        return {
            **self._namespace_routes(),
            **self._actions.routes(),
            **packages.routes(),
            **self._triggers.routes(),
            **rules.routes(),
            **activations.routes(),
        }

    def _open_handlers(self) -> dict[Place, OpenHandler]:
        """What anybody may ask, with a key or without."""
        web_actions = WebActions(self._knobs, self._config.users, self._resolver, self._actions, self._throttles)
        return {**web_actions.routes()}

    def _namespace_routes(self) -> dict[tuple[Place, str], Handler]:
        limits_body = namespace_limits(self._knobs)

        async def namespaces(call: Call) -> Answer:
            return json_answer([call.user.namespace])

        async def limits(call: Call) -> Answer:
            call.check_names()
            call.namespace()
            return json_answer(limits_body)

        async def below_limits(call: Call) -> Answer:
            call.check_names()
            call.namespace()
            raise refusal(400, "The request contains bad syntax or cannot be fulfilled.")

        return {("namespaces", "GET"): namespaces, ("limits", "GET"): limits, ("below limits", "GET"): below_limits}


async def serve(config: PlatformConfig) -> None:
    """Run until SIGTERM or SIGINT. `state_dir/listening.json` is there while it listens. Raises OSError where it cannot start."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    _allow_many_descriptors()
    config.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    platform = Platform(config)
    listening = config.state_dir / "listening.json"
    try:
        host, port = await platform.start()
        _write_atomically(listening, json.dumps({"host": host, "port": port, "pid": os.getpid()}))
        await stopped.wait()
        _log.info("stopping")
    finally:
        listening.unlink(missing_ok=True)
        await platform.stop()


def _request(
    loop: asyncio.AbstractEventLoop,
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: Task[None],
) -> web.BaseRequest:
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES)


def _allow_many_descriptors() -> None:
    """As many as may be had: each blocking call holds one."""
    _, greatest = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (greatest, greatest))


def _own_hosts(host: str, port: int) -> frozenset[str]:
    """Host headers by which this machine calls itself."""
    names = {"localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host}
    return frozenset(names | {f"{name}:{port}" for name in names})


def _environment(host: str, port: int) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {"LANG": "C.UTF-8", **passed_on, "__OW_API_HOST": f"http://{host}:{port}"}


def _write_atomically(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
