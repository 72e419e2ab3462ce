"""The cores: how many there are for us, how much of them we get, and who else uses them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from owray.health.finding import Finding, Level, Machine, better_if

_LOOK_S = 0.4
_STOLEN_SHARE = 0.01
_BUSY_SHARE = 0.25
_STEAL_FIELD = 7
_IDLE_FIELDS = (3, 4)  # idle and iowait, of proc(5) stat

_QUOTA_CURE = "give this container or group more CPU: docker run --cpus N, Kubernetes limits.cpu, systemd CPUQuota="


def count(machine: Machine, ours: Sequence[int] | None = None) -> Iterator[Finding]:
    """Cores that this process may run on (`ours`; the kernel's word by default), of all that the machine has."""
    mine = sorted(ours if ours is not None else os.sched_getaffinity(0))
    lines = (machine.read("proc/stat") or "").splitlines()
    online = sum(line.startswith("cpu") and line[3:4].isdecimal() for line in lines) or len(mine)
    narrowed = len(mine) < online
    single = len(mine) == 1
    yield Finding(
        "cores",
        better_if(single or narrowed),
        f"{len(mine)} of {online}: {' '.join(map(str, mine))}" + (" (taskset, or a cpuset, keeps this process from the others)" * narrowed),
        "On one core the invoker shares it with all that it measures, and reports its own delays as the platform's."
        if single
        else "The last quarter of them, at least one, is the invokers' alone; the others carry platform, containers and Ray.",
        f"taskset -c 0-{online - 1} owray ..." if narrowed else "take a machine with two cores or more" if single else "",
        {"usable": len(mine), "online": online},
    )


def quota(machine: Machine, usable: int | None = None) -> Iterator[Finding]:
    """The least CPU quota of this process's control groups, against the cores it may run on."""
    cores = usable if usable is not None else len(os.sched_getaffinity(0))
    quotas = [*_quotas(machine)]
    if not quotas or min(quotas) >= cores:
        yield Finding("CPU quota", Level.FINE, "none that binds", "All cores can be used all the time.", figures={"cores": None})
        return
    least = min(quotas)
    yield Finding(
        "CPU quota",
        Level.BETTER,
        f"{least:g} cores' worth of time on {cores} cores",
        "When it is used up everything stands still until the next period, up to 100 ms: rows show it as lag.",
        _QUOTA_CURE,
        {"cores": round(least, 3)},
    )


def load(machine: Machine, look_s: float = _LOOK_S) -> Iterator[Finding]:
    """What the cores do at present, and what a hypervisor takes from them, over `look_s` seconds."""
    before = _ticks(machine)
    time.sleep(look_s)
    passed = [now - then for now, then in zip(_ticks(machine), before, strict=False)]
    total = sum(passed[: _STEAL_FIELD + 1])
    if total <= 0:
        yield Finding("busy", Level.BETTER, "cannot be told", "Whether others use the cores is not known.")
        return
    stolen = passed[_STEAL_FIELD] / total
    busy = 1 - stolen - sum(passed[field] for field in _IDLE_FIELDS) / total
    yield Finding(
        "busy",
        better_if(busy > _BUSY_SHARE),
        f"the cores are {busy:.0%} busy at present",
        "What else runs here takes turns with invokers and containers: times get longer, and vary more.",
        "end it, or wait for its end: top -o %CPU shows what it is" if busy > _BUSY_SHARE else "",
        {"busy_share": round(busy, 4)},
    )
    yield Finding(
        "steal",
        better_if(stolen > _STOLEN_SHARE),
        f"{stolen:.1%} of the time is taken by the hypervisor at present",
        "A core that is taken away stands still, and everything on it is late: rows show it as lag.",
        "take a machine with cores of its own (a dedicated or larger shape)" if stolen > _STOLEN_SHARE else "",
        {"stolen_share": round(stolen, 4)},
    )


def governor(machine: Machine) -> Iterator[Finding]:
    """How the cores' frequency is chosen."""
    folder = machine.root / "sys/devices/system/cpu"
    files = sorted(folder.glob("cpu[0-9]*/cpufreq/scaling_governor"))
    found = sorted({machine.read(str(file.relative_to(machine.root))) or "?" for file in files})
    slow = any(name != "performance" for name in found)
    yield Finding(
        "governor",
        better_if(slow),
        ", ".join(found) if found else "this machine does not let it be chosen",
        "A core that slows down when it idles is slow to begin with: low rates then look slower than high ones.",
        "as root: cpupower frequency-set -g performance" if slow else "",
        {"governor": ", ".join(found) or None},
    )


def priority() -> Iterator[Finding]:
    """Whether a thread may go first on its core (SCHED_FIFO), as invokers do where there is a core for them."""
    with ThreadPoolExecutor(max_workers=1) as one:  # a thread of its own, since the priority holds for a thread, and ends with it
        refusal = one.submit(_go_first).result()
    yield Finding(
        "priority",
        better_if(bool(refusal)),
        f"real time is refused: {refusal}" if refusal else "real time is allowed",
        "An invoker with a core to itself goes first on it; at normal priority the kernel lets others in, for up to some ms.",
        "as root: prlimit --pid $$ --rtprio=1:1, or in a container: docker run --cap-add SYS_NICE" if refusal else "",
        {"real_time": not refusal},
    )


def _go_first() -> str:
    try:
        parameters = os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO))
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, parameters)
    except OSError as refused:
        return refused.strerror or str(refused)
    return ""


def _ticks(machine: Machine) -> list[int]:
    first = (machine.read("proc/stat") or "").partition("\n")[0].split()
    return [int(word) for word in first[1:]] if first[:1] == ["cpu"] else []


def _quotas(machine: Machine) -> Iterator[float]:
    """Quotas in cores, of every control group from this process's own up to the top, of both kinds."""
    for line in (machine.read("proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        own = PurePosixPath(path)
        for group in (own, *own.parents):
            here = str(group).lstrip("/")
            if controllers:
                yield from _quota_v1(machine, controllers, here)
            else:
                yield from _quota_v2(machine, here)


def _quota_v1(machine: Machine, controllers: str, group: str) -> Iterator[float]:
    for mount in dict.fromkeys((controllers, "cpu")):
        allowed = machine.numbers(f"sys/fs/cgroup/{mount}/{group}/cpu.cfs_quota_us")
        period = machine.numbers(f"sys/fs/cgroup/{mount}/{group}/cpu.cfs_period_us")
        if allowed and period and allowed[0] > 0:
            yield allowed[0] / period[0]


def _quota_v2(machine: Machine, group: str) -> Iterator[float]:
    numbers = machine.numbers(f"sys/fs/cgroup/{group}/cpu.max")  # `max 100000` begins with no number
    if len(numbers) == 2:
        yield numbers[0] / numbers[1]
