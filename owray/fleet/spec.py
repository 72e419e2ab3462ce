"""What is handed to the actors of a storm, and what they hand back. Plain data: it crosses process boundaries."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from owray.fleet.patience import Waits
from owray.http1.connection import Tcp
from owray.http1.tls import client_context
from owray.plan.closed import Closed
from owray.plan.recipe import Recipe
from owray.wire.counters import Counters
from owray.wire.invoker import Limits

Priority = Literal["normal", "real-time"]
Phase = Literal["preparing", "waiting", "playing", "draining", "sealing", "over"]


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where the calls go. `auth` ("uuid:key") is in no repr and no log.

    `authorities` are certificates (PEM) that TLS trusts beside the machine's own, empty for none: an invoker's environment is not that of
    the command, so the files that this names are read where they are named.
    """

    host: str
    port: int
    auth: str = field(repr=False)
    tls: bool = False
    insecure: bool = False
    namespace: str = "_"
    authorities: str = field(default="", repr=False)

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def address(self) -> Tcp:
        """The address with its TLS context, made here because a context cannot be sent to another process."""
        if not self.tls:
            return Tcp(self.host, self.port)
        return Tcp(self.host, self.port, client_context(insecure=self.insecure, authorities=self.authorities))


@dataclass(frozen=True, slots=True)
class StormSpec:
    """One storm: the plan, the target, the limits, on which cores it is played (empty: wherever the kernel likes), what it waits for."""

    folder: Path
    recipe: Recipe
    gateway: Gateway
    limits: Limits
    invokers: int = 1
    cores: tuple[int, ...] = ()
    waits: Waits = field(default_factory=Waits)

    def of_invoker(self, invoker: int, node: str) -> PlayerSpec:
        """The share of one invoker; the cap on calls in flight and the users are split statically, so that invokers need no talk."""
        cap = self.limits.max_in_flight
        mine = None if cap is None else self._share(cap, invoker)
        core = self.cores[invoker % len(self.cores)] if self.cores else None
        closed = self.recipe.closed
        users = 0 if closed is None else self._share(closed.users, invoker)
        return PlayerSpec(self, invoker, node, core, replace(self.limits, max_in_flight=mine), users)

    def _share(self, whole: int, invoker: int) -> int:
        return whole * (invoker + 1) // self.invokers - whole * invoker // self.invokers


@dataclass(frozen=True, slots=True)
class PlayerSpec:
    """One invoker's share of a storm; `users` are its own of a closed loop."""

    storm: StormSpec
    invoker: int
    node: str
    core: int | None
    limits: Limits
    users: int = 0

    @property
    def warm_connections(self) -> int:
        """Connections to open before t0: what calls of 0.2 s, or all users, would need, within reason.

        A cold start holds up that many, and opening a connection costs the platform as much as a call does: then it would have both to do.
        """
        rates = (stream.shape.peak_rps for stream in self.storm.recipe.streams if not isinstance(stream.shape, Closed))
        needed = self.users or max(round(max(rates, default=0.0) / self.storm.invokers * 0.2), 2)
        wanted = min(needed, 1024)
        return wanted if self.limits.max_in_flight is None else min(wanted, self.limits.max_in_flight)


@dataclass(frozen=True, slots=True)
class Ready:
    """An invoker that could start now."""

    invoker: int
    node: str
    pid: int
    core: int | None
    loop: str
    descriptors: int
    priority: Priority


@dataclass(frozen=True, slots=True)
class PlayerReport:
    """What one invoker did; `cpu_us` is its process's CPU time from t0 to the end of its drain."""

    invoker: int
    node: str
    pid: int
    core: int | None
    priority: Priority
    counters: Counters
    cpu_us: int
    wall_us: int
    memory_mb: float
    gc_pauses: int
    gc_longest_us: int
    connections_opened: int
    connections_failed: int
    started_late_us: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A look at a storm under way; `elapsed_us` counts from t0 and is negative before. `planned` is None where that is not known."""

    phase: Phase
    elapsed_us: int
    planned: int | None
    counters: Counters
    lost: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FleetReport:
    """The end of a storm: reports of the invokers that lived, the numbers of those that did not, and why it ended early if it did."""

    reports: tuple[PlayerReport, ...]
    lost: tuple[int, ...]
    late: tuple[int, ...]
    aborted: str | None
