"""Functions of a trace mapped to actions of the catalogue: each to the size whose duration is nearest to its own.

An action stands for a duration where its manifest gives its sizes in milliseconds, as `sleep` does: `small = { ms = 10 }`. How long others
take depends on the machine. Nearest is meant by ratio: 10 ms for 20 ms is as far off as 1 s for 2 s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable

import numpy as np
from numpy.typing import NDArray

from owray.openwhisk.catalogue import catalogue
from owray.storm.assigning import Kind
from owray.storm.bad_request import BadRequest

UNKNOWN_S = 0.684
"""exp(-0.38) s, the median of all functions' mean durations in the fit of Shahrad et al. 2020 (`owray.plan.synthetic`)."""

_SIZE = "ms"


@dataclass(frozen=True, slots=True)
class Reference:
    """An action at a size, and how long a call of it takes."""

    action: str
    size: str
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Mapping:
    """The kind of call that stands for each function, by its number; and in words how well."""

    kinds: tuple[Kind, ...]
    kind_of: NDArray[np.int64]
    notes: tuple[str, ...]


def references(actions_dir: Traversable | None = None) -> list[Reference]:
    """The shortest first. Raises BadRequest where there are none, and ManifestError."""
    found = [
        Reference(manifest.name, size, float(parameters[_SIZE]))
        for manifest in catalogue(actions_dir).values()
        for size, parameters in manifest.sizes.items()
        if parameters.get(_SIZE, 0) > 0
    ]
    if not found:
        raise BadRequest(f"--trace: no action's size says how long it takes, as {_SIZE} = 100 would.  (--action says what all calls go to)")
    return sorted(found, key=lambda each: each.duration_ms)


def map_functions(durations_s: NDArray[np.float64], known: Sequence[Reference]) -> Mapping:
    """`durations_s` is each function's mean, NaN where it is not known."""
    unknown = ~(durations_s > 0)
    durations_ms = np.where(unknown, UNKNOWN_S, durations_s) * 1000
    distance = np.abs(np.log(durations_ms[:, None]) - np.log([each.duration_ms for each in known])[None, :])
    kind_of: NDArray[np.int64] = np.argmin(distance, axis=1).astype(np.int64)
    notes = tuple(_told(known, durations_ms, kind_of, int(unknown.sum())))
    return Mapping(tuple(Kind(each.action, each.size) for each in known), kind_of, notes)


def _told(known: Sequence[Reference], durations_ms: NDArray[np.float64], kind_of: NDArray[np.int64], unknown: int) -> Iterator[str]:
    for number, each in enumerate(known):
        mine = durations_ms[kind_of == number]
        if len(mine):
            error = np.median(np.maximum(mine, each.duration_ms) / np.minimum(mine, each.duration_ms))
            span = f"{_ms(mine.min())} to {_ms(mine.max())} ms" if len(mine) > 1 else f"{_ms(mine[0])} ms"
            functions = f"{len(mine):,} function{'s' * (len(mine) > 1)}"
            stands = f"{each.action} {each.size} ({each.duration_ms:g} ms) stands for {functions} of {span}"
            yield f"{stands}, off by a factor of {error:.3g} (median)"
    if unknown:
        yield f"of {unknown:,} function{'s' * (unknown > 1)} no duration is known: {UNKNOWN_S * 1000:g} ms is taken for it"


def _ms(duration_ms: float) -> str:
    return f"{duration_ms:,.0f}" if duration_ms >= 100 else f"{duration_ms:.3g}"
