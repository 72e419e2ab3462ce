"""The log store of a cluster: what docker's log files hold of an activation, up to its limit. Pure.

    2023-11-14T22:13:21.250123456Z stdout: hello
    2023-11-14T22:13:21.250299999Z stderr: careful

Both streams, in the order of their times. Where something is amiss, the platform adds a line of its own on standard error:

    amiss                                               the run's status    the container    last line
    more than the limit                                 unchanged           destroyed        Logs were truncated because ...
    a sentinel did not come                             unchanged           destroyed        There was an issue while collecting ...
    a developer error (no sentinel is waited for)       2                   destroyed        The action did not initialize or run ...

What counts against the limit is a line as it stands in the record.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from operator import attrgetter

from cluster.openwhisk.embedded.logs import Chunk, Collected, Printed

STAMP_WIDTH = 30

TRUNCATED = "Logs were truncated because the total bytes size exceeds the limit of {} bytes."
MISSING = "There was an issue while collecting your logs. Data might be missing."
AFTER_FAILURE = "The action did not initialize or run as expected. Log data might be missing."

_arrival = attrgetter("arrived_ns")


class FileStore:
    """See the module."""

    def prefix(self, stamp: str, stream: str) -> str:
        return f"{stamp:<{STAMP_WIDTH}} {stream}: "

    def collected(self, stdout: Printed, stderr: Printed, limit_bytes: int, stamp: str, *, failed: bool) -> Collected:
        lines: list[str] = []
        counted = 0
        truncated = stdout.flooded or stderr.flooded
        for chunk in heapq.merge(stdout.chunks, stderr.chunks, key=_arrival):
            counted += chunk.counted
            if counted > limit_bytes:
                truncated = True
                lines.extend(_fitting(chunk, limit_bytes - (counted - chunk.counted)))
                break
            lines.extend(chunk.lines)
        complete = failed or (stdout.complete and stderr.complete)
        prefix = self.prefix(stamp, "stderr")
        if truncated:
            lines.append(prefix + TRUNCATED.format(limit_bytes))
        elif not complete:
            lines.append(prefix + MISSING)
        if failed:
            lines.append(prefix + AFTER_FAILURE)
        return Collected(lines, complete and not truncated, truncated)


def _fitting(chunk: Chunk, room_bytes: int) -> Iterator[str]:
    """The first lines of a chunk, as far as there is room."""
    for line in chunk.lines:
        room_bytes -= len(line.encode()) + 1
        if room_bytes < 0:
            return
        yield line
