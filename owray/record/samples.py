"""Samples of the machines under a storm, one a second, kept beside the rows: was it the platform that was slow, or the ruler?

Counters of the kernel (bytes, retransmissions, context switches) are kept as they are read, growing; shares are of the time since the
sample before. `cpu` is one share per core, so that a generator that fills its one core is not averaged away.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from owray.record.durable import replacing

SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("node", pa.string(), nullable=False),
        pa.field("at_ms", pa.int64(), nullable=False),
        pa.field("cpu", pa.list_(pa.float32())),
        pa.field("cpu_steal", pa.float32()),
        pa.field("load_1m", pa.float32()),
        pa.field("memory_used_mb", pa.float32()),
        pa.field("memory_total_mb", pa.float32()),
        pa.field("tcp_in_use", pa.int32()),
        pa.field("tcp_time_wait", pa.int32()),
        pa.field("tcp_retransmitted", pa.int64()),
        pa.field("net_sent_bytes", pa.int64()),
        pa.field("net_received_bytes", pa.int64()),
        pa.field("net_dropped", pa.int64()),
        pa.field("context_switches", pa.int64()),
    ]
)


class Sampler:
    """Gathers samples of this machine and writes them as one file when asked; a file is replaced by a longer one."""

    def __init__(self, node: str, proc: Path = Path("/proc")) -> None:
        self._node = node
        self._proc = proc
        self._samples: list[dict[str, Any]] = []
        psutil.cpu_percent(percpu=True)  # the first reading of shares is since boot, and thrown away
        psutil.cpu_times_percent()

    def sample(self) -> None:
        memory = psutil.virtual_memory()
        network = psutil.net_io_counters()
        sockets = _pairs(self._proc / "net" / "sockstat", "TCP:")
        self._samples.append(
            {
                "node": self._node,
                "at_ms": time.time_ns() // 1_000_000,
                "cpu": [share / 100 for share in psutil.cpu_percent(percpu=True)],
                "cpu_steal": psutil.cpu_times_percent().steal / 100,
                "load_1m": psutil.getloadavg()[0],
                "memory_used_mb": memory.used / 1e6,
                "memory_total_mb": memory.total / 1e6,
                "tcp_in_use": sockets.get("inuse"),
                "tcp_time_wait": sockets.get("tw"),
                "tcp_retransmitted": _snmp(self._proc / "net" / "snmp").get("RetransSegs"),
                "net_sent_bytes": network.bytes_sent if network else None,
                "net_received_bytes": network.bytes_recv if network else None,
                "net_dropped": network.dropin + network.dropout if network else None,
                "context_switches": psutil.cpu_stats().ctx_switches,
            }
        )

    def write(self, folder: Path) -> None:
        """All samples so far, as `<node>.parquet`; it bears the name only when it is whole and on disk. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self._node}.parquet"
        with replacing(path) as unfinished:
            pq.write_table(pa.Table.from_pylist(self._samples, SAMPLE_SCHEMA), unfinished, compression="zstd")


def _pairs(path: Path, line_start: str) -> Mapping[str, int]:
    """The numbers of a line like `TCP: inuse 5 orphan 0 tw 3`."""
    for line in path.read_text().splitlines():
        if line.startswith(line_start):
            words = line.split()[1:]
            return {name: int(value) for name, value in zip(words[::2], words[1::2], strict=False)}
    return {}


def _snmp(path: Path) -> Mapping[str, int]:
    """The kernel's TCP counters: a line of names, then a line of numbers."""
    lines = [line.split()[1:] for line in path.read_text().splitlines() if line.startswith("Tcp:")]
    if len(lines) < 2:
        return {}
    return {name: int(value) for name, value in zip(lines[0], lines[1], strict=False)}
