"""What does a row cost: kept in the hot path, turned into Parquet, and on disk?

Keeping it: packed into the journal, with its mark and its blocks. Writing it: one table, as owray writes it, as pyarrow does when nothing
is asked of it (dictionaries everywhere, snappy), and that with zstd. What `convert` takes as a whole (reading the journal, checksums,
sorting, names, writing) stands against building a table, and no more, from rows that were kept as dictionaries.

The rows are made up, but spread like a storm's: random ids, 200 containers, times with a long tail.

    python -m benchmarks.record [--rounds 5] [--rows 150000]
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import Cores, Machine, Spread, arguments, interleave, pin, ratio, show
from owray.plan.mix import Entry
from owray.plan.recipe import Recipe
from owray.record.journal import Header, Recorder
from owray.record.layout import ARROW_SCHEMA, NULL_32, NULL_64, PACKED_FIELDS
from owray.record.parts import ROW_GROUP_ROWS, convert, part_writer

RPS = 5000
CONTAINERS = 200
RECIPE = Recipe.steady(rps=RPS, duration_s=60, entries=(Entry("micro", "noop", "-", "noop"),), warmup_s=1)
NAMES = [name for name, _ in PACKED_FIELDS]
TICK_EVERY = 256

Row = tuple[int | bytes, ...]


def storm(rows: int) -> list[Row]:
    """Packed values of calls as a storm of 5,000 a second leaves them, in order of their ends."""
    random = np.random.default_rng(1)
    seq = np.arange(rows)
    intended = (seq * 1_000_000 + 500_000) // RPS
    service = (900 + random.lognormal(6.5, 0.8, rows)).astype(np.int64)
    lag = random.gamma(2.0, 25.0, rows).astype(np.int64)
    compute = random.gamma(4.0, 15.0, rows).astype(np.int64)
    container = random.integers(0, CONTAINERS, rows)
    columns: dict[str, list[int]] = {
        "seq": seq.tolist(),
        "intended_us": intended.tolist(),
        "lag_us": lag.tolist(),
        "held_us": [NULL_64] * rows,
        "connect_us": [NULL_64] * rows,
        "ttfb_us": (service - random.integers(5, 60, rows)).tolist(),
        "service_us": service.tolist(),
        "ow_start_ms": (1_767_225_600_000 + (intended + lag) // 1000).tolist(),
        "wait_ms": random.integers(0, 4, rows).tolist(),
        "duration_ms": (1 + compute // 1000).tolist(),
        "container": container.tolist(),
        "container_calls": (seq // CONTAINERS).tolist(),
        "gen_us": random.integers(1, 9, rows).tolist(),
        "compute_us": compute.tolist(),
        "io_us": [0] * rows,
        "conn": random.integers(0, 64, rows).tolist(),
        "bytes_out": (300 + np.char.str_len(seq.astype(str))).tolist(),
        "bytes_in": random.integers(780, 790, rows).tolist(),
        "http_status": [200] * rows,
        "entry": [0] * rows,
        "outcome": [0] * rows,
        "checked": [1] * rows,
        "censored": [0] * rows,
        "conn_reused": [1] * rows,
    }
    ids = random.bytes(16 * rows)
    by_name = {**columns, "activation_id": [ids[16 * index : 16 * index + 16] for index in range(rows)]}
    missing = [NULL_32] * rows
    ended = np.argsort(intended + lag + service, kind="stable").tolist()
    made = list(zip(*(by_name.get(name, missing) for name in NAMES), strict=True))
    return [made[index] for index in ended]


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU nanoseconds and bytes on disk, a row."""

    cpu_ns: float
    bytes: float = 0.0


class Bench:
    """The ways of keeping and writing the same rows, each in files of its own under `folder`."""

    def __init__(self, folder: Path, rows: list[Row]) -> None:
        self._folder = folder
        self._rows = rows
        self._numbers = count()
        self._containers = [f"{number:016x}" for number in range(CONTAINERS)]
        part = convert(self._journal()[0], folder, RECIPE)
        if part.path is None or part.rows != len(rows):
            raise SystemExit(f"{len(rows):,} rows became {part.rows:,}")
        self.table = pq.read_table(part.path, schema=ARROW_SCHEMA).combine_chunks()

    def keep_packed(self) -> Cost:
        journal, cpu_ns = self._journal()
        size = journal.stat().st_size
        journal.unlink()
        return Cost(cpu_ns / len(self._rows), size / len(self._rows))

    def convert(self) -> Cost:
        journal, _ = self._journal()
        before_ns = time.process_time_ns()
        part = convert(journal, self._folder, RECIPE)
        return self._cost(before_ns, part.path or journal)

    def write_ours(self) -> Cost:
        path = self._folder / "ours.parquet"
        before_ns = time.process_time_ns()
        with part_writer(path) as append:
            for start in range(0, self.table.num_rows, ROW_GROUP_ROWS):
                [batch] = self.table.slice(start, ROW_GROUP_ROWS).to_batches()
                append(dict(zip(batch.schema.names, batch.columns, strict=True)), batch.num_rows)
        return self._cost(before_ns, path)

    def write_default(self, compression: str) -> Cost:
        path = self._folder / "default.parquet"
        before_ns = time.process_time_ns()
        pq.write_table(self.table, path, compression=compression)
        return self._cost(before_ns, path)

    def from_dictionaries(self, sample: list[dict[str, object]]) -> Cost:
        """Only building the table, of fewer rows: it takes long enough."""
        before_ns = time.process_time_ns()
        pa.Table.from_pylist(sample)
        return Cost((time.process_time_ns() - before_ns) / len(sample))

    def _cost(self, before_ns: int, path: Path) -> Cost:
        cpu_ns = time.process_time_ns() - before_ns
        size = path.stat().st_size
        path.unlink()
        return Cost(cpu_ns / len(self._rows), size / len(self._rows))

    def _journal(self) -> tuple[Path, int]:
        """A closed journal of all rows, and the CPU nanoseconds it took."""
        folder = self._folder / f"journal-{next(self._numbers)}"
        recorder = Recorder(folder, Header("benchmark", 0, 1, "local"), time.monotonic_ns)
        code = [recorder.container(name) for name in self._containers]
        before_ns = time.process_time_ns()
        for index, values in enumerate(self._rows):
            recorder.mark(index)
            recorder.add(*values)
            if not index % TICK_EVERY:
                recorder.tick(time.monotonic_ns())
        recorder.close()
        cpu_ns = time.process_time_ns() - before_ns
        [journal] = folder.glob("*.journal")
        if code != list(range(CONTAINERS)):
            raise SystemExit("containers have other codes than the rows say")
        return journal, cpu_ns


def main() -> None:
    asked = arguments("CPU and bytes of a row, from the hot path to Parquet.", rounds=5, rows=150_000)
    machine = Machine()
    pin(Cores.available().client)
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), storm(asked.rows))
        sample = bench.table.slice(0, 10_000).to_pylist()
        sides: dict[str, Callable[[], Cost]] = {
            "keep: packed into the journal": bench.keep_packed,
            "table from dictionaries": partial(bench.from_dictionaries, sample),
            "journal to part, all of it": bench.convert,
            "write a table: owray": bench.write_ours,
            "write a table: pyarrow": partial(bench.write_default, "snappy"),
            "write a table: pyarrow, zstd": partial(bench.write_default, "zstd"),
        }
        found = interleave(sides, asked.rounds)
    _tell(found, f"{asked.rounds} rounds of {asked.rows:,} rows; median (quartiles)")
    print(machine.line())


def _tell(found: dict[str, list[Cost]], title: str) -> None:
    ours = found["write a table: owray"]
    rows: list[tuple[object, ...]] = [("", "ns of CPU a row", "million rows a second", "bytes a row", "CPU, times owray's writing")]
    for name, costs in found.items():
        speed = Spread.of(1000 / one.cpu_ns for one in costs)
        size = Spread.of(one.bytes for one in costs).median
        against = ratio([one.cpu_ns for one in costs], [one.cpu_ns for one in ours]) if name.startswith("write") else "-"
        rows.append((name, Spread.of(one.cpu_ns for one in costs), speed, f"{size:.1f}" if size else "-", against))
    show(title, rows)
    building, converting = ([one.cpu_ns for one in found[name]] for name in ("table from dictionaries", "journal to part, all of it"))
    print(f"  table from dictionaries: {ratio(building, converting)} times the CPU of the whole way from journal to part")
    for name in ("write a table: pyarrow", "write a table: pyarrow, zstd"):
        print(f"  size of {name.removeprefix('write a table: ')}: {found[name][0].bytes / ours[0].bytes:.2f} times owray's")


if __name__ == "__main__":
    main()
