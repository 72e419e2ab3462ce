"""How much this machine lets one process have: descriptors, processes, ports; and whether it can talk to itself."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator

from owray.health.finding import Finding, Level, Machine

USUAL_IN_FLIGHT = 1_000
"""Calls in flight that limits are held against where nobody says how many there will be."""

RESERVED_DESCRIPTORS = 256
"""What an invoker has open that is no call: Ray, journals, libraries."""

TIME_WAIT_S = 60
"""How long the kernel keeps a port after its connection was closed."""

_LEAST_DESCRIPTORS = 256
"""Below this neither Ray nor the embedded platform comes up."""

_LEAST_PROCESSES = 500
"""Threads count, and Ray alone has some hundred."""

_LEAST_PORTS = 64
"""What Ray, the platform and a first few calls take."""

_UNLIMITED = "unlimited"


def most_descriptors() -> int | None:
    """What an invoker may have open, since it takes all that the system allows; None where that is without limit."""
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def port_range(machine: Machine) -> tuple[int, int] | None:
    """The lowest and the highest port that connections take as their own; None where that cannot be read."""
    limits = machine.numbers("proc/sys/net/ipv4/ip_local_port_range")
    return (limits[0], limits[1]) if len(limits) == 2 else None


def descriptors(in_flight: int | None) -> Iterator[Finding]:
    """Open files, against the calls in flight that are asked for. Invokers raise their soft limit to the hard one by themselves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    calls = in_flight or USUAL_IN_FLIGHT
    needed = calls + RESERVED_DESCRIPTORS
    level = _level(hard, needed, _LEAST_DESCRIPTORS, asked=in_flight is not None)
    yield Finding(
        "descriptors",
        level,
        f"{_shown(soft)}, at most {_shown(hard)}; {needed:,} are needed for {calls:,} calls in flight",
        "Each call in flight holds one; beyond the limit calls end as connect_error, which is this machine's doing.",
        f"ulimit -n {needed} in this shell, or as root: prlimit --pid $$ --nofile={needed}:{needed}" if level is not Level.FINE else "",
        {"soft": _number(soft), "hard": _number(hard), "needed": needed},
    )


def processes() -> Iterator[Finding]:
    """Processes and threads of this user."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    level = _level(hard, 2 * _LEAST_PROCESSES, _LEAST_PROCESSES, asked=False)
    yield Finding(
        "processes",
        level,
        f"{_shown(soft)}, at most {_shown(hard)}",
        "Ray's processes have some hundred threads, and each container of a local lab is a process.",
        f"ulimit -u {4 * _LEAST_PROCESSES}; for good: nproc in /etc/security/limits.conf" if level is not Level.FINE else "",
        {"soft": _number(soft), "hard": _number(hard), "needed": 2 * _LEAST_PROCESSES},
    )


def ports(machine: Machine, in_flight: int | None) -> Iterator[Finding]:
    """The range that connections take their own port from, and what becomes of ports whose connection has ended."""
    limits = port_range(machine)
    if limits is None:
        yield Finding("ports", Level.BETTER, "the range of local ports cannot be read", "How many calls can be in flight is not known.")
        return
    lowest, highest = limits
    count = highest - lowest + 1
    needed = (in_flight or USUAL_IN_FLIGHT) + _LEAST_PORTS
    level = _level(count, needed, _LEAST_PORTS, asked=in_flight is not None)
    reuse = machine.numbers("proc/sys/net/ipv4/tcp_tw_reuse")
    told = {0: f"not used again for {TIME_WAIT_S} s", 1: "used again at once", 2: "used again at once on loopback only"}
    yield Finding(
        "ports",
        level,
        f"{count:,} ({lowest} to {highest}); {needed:,} are needed for {needed - _LEAST_PORTS:,} calls in flight; "
        f"those that were closed are {told.get(reuse[0] if reuse else -1, 'used as the kernel thinks fit')}",
        "Each connection to a target takes one; when none is left, calls end as connect_error, which is this machine's doing.",
        'as root: sysctl -w net.ipv4.ip_local_port_range="32768 60999"' if level is not Level.FINE else "",
        {"lowest": lowest, "highest": highest, "count": count, "needed": needed, "tcp_tw_reuse": reuse[0] if reuse else None},
    )


def loopback() -> Iterator[Finding]:
    """Whether a free port can be had on 127.0.0.1, and be reached."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(1)
            with socket.create_connection(server.getsockname(), timeout=1) as there:
                here, _ = server.accept()
                with here:
                    there.sendall(b"?")
                    here.settimeout(1)
                    here.recv(1)
            port = server.getsockname()[1]
    except OSError as problem:
        yield Finding(
            "loopback",
            Level.WRONG,
            f"127.0.0.1 cannot be reached: {problem.strerror or problem}",
            "Ray and the embedded platform listen there, and nowhere else.",
            "as root: ip link set lo up",
        )
        return
    yield Finding("loopback", Level.FINE, f"a free port was found, {port}, and reached", "Ray and a local lab listen there.")


def _level(allowed: int, needed: int, least: int, *, asked: bool) -> Level:
    """Too few for anything, or for what was asked, is wrong; too few for a usual storm could be better."""
    if allowed == resource.RLIM_INFINITY or allowed >= needed:
        return Level.FINE
    return Level.WRONG if asked or allowed < least else Level.BETTER


def _shown(limit: int) -> str:
    return _UNLIMITED if limit == resource.RLIM_INFINITY else f"{limit:,}"


def _number(limit: int) -> int | None:
    return None if limit == resource.RLIM_INFINITY else limit
