"""A server that forks containers.

An interpreter with the runtime's imports takes 46 ms of CPU until its first answer, a fork of one that is ready takes 3
(benchmarks/containers.py). When a storm arrives cold that is the difference between a busy core and a stalled one. So one process,
`python -I -S zygote.py`, loads the runtime once and forks it for each container.
Programs of other runtimes (Node) are forked and then executed, so that every container on the machine has the same parent.

Most of a fork's cost are the pages that it copies as soon as it writes to them. So some are made ahead, when the platform says that it is
quiet: a spare has joined its control group, has been through an activation that nobody asked for, and waits for its order. When a storm
arrives cold, its first containers take half the CPU, and the platform's core is free for calls that much sooner.

Orders come over a socket, one JSON object a line, and events go back the same way:

    {"start": 7, "folder": "...", "program": null | [...], "environment": {...}, "logs": true, "nice": 12,
     "memory": {"cgroup": null | "...", "data_bytes": null | 134217728}}
                                                                                            {"started": 7, "pid": 4711}
                                                                                            {"failed": 7, "error": "..."}
    {"kill": 7}                                                                             {"ended": 7, "status": -9}
    {"pause": 7}
    {"resume": 7}                                                                           {"resumed": 7}
    {"spares": [null | "...", ...]}

The order for spares names all that there should be, by what they join; others are ended. A container gets the spare that has joined what
it is to join.

They are obeyed in their order, so nobody needs to hear when a container has been paused: it can be resumed at any time after. A pause
stops the container's process group (SIGSTOP), as docker's does the cgroup; what has left the group runs on.

How nothing is left behind:
  - a container leads its own process group; whatever ends it, the rest of the group is killed before its leader is reaped, while
    the number still belongs to it. It has no session of its own: Linux shares a core out by sessions first (sched_autogroup), and
    sixteen containers that start would leave one part in seventeen to the platform. (So one that means to can leave its group, and
    what it starts then outlives it, until this process ends);
  - a container asks the kernel to be killed when this process ends (PR_SET_PDEATHSIG);
  - this process ends when the socket to the platform closes, which the platform's death does, however it died; before that it kills
    all that descends from it, and what has left its group and lost its parent comes to it as well (PR_SET_CHILD_SUBREAPER).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any, NamedTuple, NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
"""From linux/prctl.h."""

SOCKET_NAME = "s"
"""The container's listening socket, in its folder. Bound before the fork, so that no connection is ever refused."""

OPEN_FILES = 1024
"""What a container may have open, as OpenWhisk gives it to docker; the platform itself may have many more."""

MARK = "OWRAY_CONTAINER"
"""In the environment of a container, with its number, and of what it starts."""

MOST_ORDER_BYTES = 65536

CONTROL = 0
"""The descriptor of the socket to the platform: a low one, which a container's own standard input replaces."""

LISTENER = 3
"""The descriptor at which a container finds its listening socket."""

_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Orphans of this process come to it instead of to init."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_children() -> None:
    """Kill the direct children of this process with their groups."""
    for pid in _children():
        _kill(pid)


def _children() -> set[int]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:  # noqa: PTH123 - pathlib is not loaded here
        return {int(pid) for pid in file.read().split()}


class _Spare(NamedTuple):
    """A forked child, and where it is told what it is to be."""

    pid: int
    channel: socket.socket
    group: str | None
    """What it has joined: the door of a control group."""


class Zygote:
    """`runtime` is the module whose `serve` a forked container runs, after its `rehearse` if it is a spare."""

    def __init__(self, control: socket.socket, runtime: Any) -> None:
        self._control = control
        self._runtime = runtime
        self._numbers: dict[int, int] = {}
        self._pids: dict[int, int] = {}
        self._spares: list[_Spare] = []
        self._received = b""
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Until the platform is gone."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.set_wakeup_fd(self._wake)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if self._control.fileno() in ready and not self._obey():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # which the platform's death sends too: it must not cut `end` short
                return

    def end(self) -> None:
        """Kill everything below this process, and what comes up from below that."""
        # The platform's death shows twice, as the socket's end and as this signal: the second must not cut this short.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            kill_children()
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            time.sleep(0.002)

    def _obey(self) -> bool:
        """False when the platform has closed the socket."""
        data = self._control.recv(65536)
        *orders, self._received = (self._received + data).split(b"\n")
        for line in orders:
            order = json.loads(line)
            if "start" in order:
                self._start(order)
            elif "spares" in order:
                self._have_spares(order["spares"])
            elif "pause" in order:
                self._signal(order["pause"], signal.SIGSTOP)
            elif "resume" in order:
                self._signal(order["resume"], signal.SIGCONT)
                self._say({"resumed": order["resume"]})
            elif order["kill"] in self._pids:
                _kill(self._pids[order["kill"]])
        return bool(data)

    def _signal(self, number: int, what: signal.Signals) -> None:
        """To the group of a container. Of one that has ended, the platform hears anyway."""
        if number in self._pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pids[number], what)

    def _have_spares(self, groups: list[str | None]) -> None:
        """Fork what is missing; a machine that has no room for another process now may have it when one is needed."""
        missing, had = list(groups), self._spares
        self._spares = []
        for spare in had:
            if spare.group in missing:
                missing.remove(spare.group)
                self._spares.append(spare)
            else:  # somebody has removed its group
                spare.channel.close()
                _kill(spare.pid)
        with contextlib.suppress(OSError):
            for group in missing:
                self._spares.append(self._fork(group, rehearse=True))

    def _start(self, order: dict[str, Any]) -> None:
        number = order["start"]
        try:
            with _listener(order["folder"]) as listener:
                group = order["memory"]["cgroup"]
                pid = self._tell(json.dumps(order).encode(), group, listener, forked=order["program"] is None)
        except OSError as error:
            self._say({"failed": number, "error": str(error)})
            return
        self._numbers[pid] = number
        self._pids[number] = pid
        self._say({"started": number, "pid": pid})

    def _tell(self, order: bytes, group: str | None, listener: socket.socket, *, forked: bool) -> int:
        """The process id of a child that has its order: a spare, or where there is none, or another program is wanted, a new one."""
        while True:
            spare = self._spare_in(group) if forked else None
            child = spare or self._fork(None, rehearse=False)
            with child.channel:
                try:
                    socket.send_fds(child.channel, [order], [listener.fileno()])
                except OSError:
                    if not spare:
                        raise
                else:
                    return child.pid

    def _spare_in(self, group: str | None) -> _Spare | None:
        for spare in self._spares:
            if spare.group == group:
                self._spares.remove(spare)
                return spare
        return None

    def _fork(self, group: str | None, *, rehearse: bool) -> _Spare:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # an order is one message
        parent = os.getpid()
        with theirs:
            pid = os.fork()
            if not pid:
                ours.close()
                self._become(theirs, parent, group, rehearse)
        return _Spare(pid, ours, group)

    def _become(self, channel: socket.socket, parent: int, group: str | None, rehearse: bool) -> NoReturn:
        """The rest of the child's life. Whatever happens, it does not return into the zygote's code."""
        status = 1
        try:
            os.setpgid(0, 0)
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, self._control.detach())
            os.close(nothing)
            _join(group)
            if rehearse:
                self._runtime.rehearse()
            message, listeners, *_ = socket.recv_fds(channel, MOST_ORDER_BYTES, 1)
            order = json.loads(message)
            os.nice(order["nice"])  # on top of what the platform has: without rights no process may go below that
            _set_up(order, listeners[0])
            if order["memory"]["cgroup"] != group:
                _join(order["memory"]["cgroup"])
            if order["program"]:
                os.execve(order["program"][0], order["program"], order["environment"])  # noqa: S606 - that is what a container is
            self._runtime.serve(socket.socket(fileno=LISTENER))
            status = 0
        except BaseException:  # noqa: BLE001 - the last frame of a process: whatever it is, it must be seen and end here
            traceback.print_exc()
            sys.stderr.flush()  # the rehearsal has put a stream with a buffer there
        finally:
            os._exit(status)

    def _reap(self) -> None:
        """Report the containers that have ended. Others that are found are orphans that a container left."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            number = self._numbers.pop(ended.si_pid, None)
            self._spares = [spare for spare in self._spares if spare.pid != ended.si_pid]
            if number is not None:
                _kill_group(ended.si_pid)  # not yet reaped: the number of the group cannot have been given away
                del self._pids[number]
                self._kill_strays(number)
            _, status = os.waitpid(ended.si_pid, 0)
            if number is not None:
                self._say({"ended": number, "status": os.waitstatus_to_exitcode(status)})

    def _kill_strays(self, number: int) -> None:
        """End what a container has left that is in no group of its: it came to this process, and its environment tells whose it was."""
        mark = f"{MARK}={number}".encode()
        known = {*self._numbers, *(spare.pid for spare in self._spares)}
        for pid in _children() - known:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - pathlib is not loaded here
                if mark in file.read().split(b"\0"):
                    _kill(pid)

    def _say(self, event: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the platform has gone: the next recv tells
            self._control.sendall(json.dumps(event).encode() + b"\n")


def _listener(folder: str) -> socket.socket:
    """A listening socket in the folder; by way of the working directory, since a socket's path may have 107 bytes only."""
    os.chdir(folder)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(SOCKET_NAME)
        listener.listen(16)
    except OSError:
        listener.close()
        raise
    finally:
        os.chdir("/")
    return listener


def _set_up(order: dict[str, Any], listener: int) -> None:
    """Descriptors, working directory, environment and limit of mapped memory of a container."""
    folder = order["folder"]
    streams = [f"{folder}/stdout", f"{folder}/stderr"] if order["logs"] else [os.devnull, os.devnull]
    opened = [os.open(os.devnull, os.O_RDONLY), *(os.open(stream, os.O_WRONLY) for stream in streams)]
    for descriptor, source in enumerate(opened):
        os.dup2(source, descriptor)
    os.dup2(listener, LISTENER)
    os.closerange(LISTENER + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    os.chdir(f"{folder}/work")
    os.environ.clear()
    os.environ.update(order["environment"])
    data_bytes = order["memory"]["data_bytes"]
    if data_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, data_bytes))


def _join(group: str | None) -> None:
    """The control group with this door."""
    if group is not None:
        with open(group, "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib is not loaded here
            file.write("0")  # whoever writes it joins


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # on its own too: it may not have got as far as its own group
    _kill_group(pid)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _load(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("container_runtime", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(parent: int, cores: str, runtime: str) -> None:
    """The platform's process id, comma-separated cores for all containers, path of the runtime. The socket is standard input."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        return
    become_subreaper()
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    # Batch work does not preempt whoever wakes it up. Where containers share a core with the platform it can hand out all the work it
    # has before the first container runs, instead of changing places with each; and its own wake-ups still preempt them.
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    module = _load(runtime)
    module.preload()
    zygote = Zygote(socket.socket(fileno=CONTROL), module)
    gc.collect()
    gc.freeze()  # forks then share these pages for good
    try:
        zygote.run()
    finally:
        zygote.end()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
