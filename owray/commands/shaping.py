"""Options that say how many calls a storm has and when they are due, and what may stand in its way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from owray.storm.load import Elsewhere, LoadRequest
    from owray.storm.streams import StreamRequest


@dataclass(frozen=True, slots=True)
class Shaping:
    """When calls are due."""

    rps: Annotated[float | None, typer.Option(help="Calls a second. Default 10.")] = None
    ramp: Annotated[str | None, typer.Option(help="From one rate to another: 0:5000:60s.", metavar="FROM:TO:TIME")] = None
    stages: Annotated[
        str | None, typer.Option(help="Levels and ramps one after another: '1000:30s,1000:5000:60s,0:10s'.", metavar="STAGE,...")
    ] = None
    sine: Annotated[str | None, typer.Option(help="A rate that swings: 1000:500:60s is a wave a minute.", metavar="MEAN:SWING:TIME")] = None
    burst: Annotated[str | None, typer.Option(help="Bursts of calls due at once: 500,1000,2000.", metavar="CALLS,...")] = None
    gap: Annotated[str | None, typer.Option(help="From one burst to the next: 10s.")] = None
    at_once: Annotated[bool, typer.Option("--at-once", help="All --calls are due at once.")] = False
    concurrency: Annotated[int | None, typer.Option(help="A closed loop: so many users, each calls when its last call has ended.")] = None
    think: Annotated[str | None, typer.Option(help="How long a user waits from the end of a call to its next: 100ms.")] = None
    streams: Annotated[Path | None, typer.Option(help="Several streams from a TOML file, each with its actions, shape and time.")] = None
    duration: Annotated[str | None, typer.Option(help="How long calls are due: 500ms, 30s, 5m, 1h. Default 10s, or until --calls.")] = None
    calls: Annotated[int | None, typer.Option(help="End after this many calls.")] = None
    arrivals: Annotated[Literal["constant", "uniform", "poisson"], typer.Option(help="How calls are spaced.")] = "constant"
    seed: Annotated[int, typer.Option(help="The same seed plans the same calls, on any number of invokers.")] = 1
    warmup: Annotated[str, typer.Option(help="Calls due before this are flagged, and left out of the summary.")] = "0s"

    def load(self, elsewhere: Elsewhere | None = None) -> LoadRequest:
        """With the shape that was planned elsewhere, if one was. Raises BadRequest."""
        from owray.storm.bad_request import seconds
        from owray.storm.load import LoadRequest

        is_listed = elsewhere is not None and elsewhere.is_listed  # then its calls are counted already
        is_trace = elsewhere is not None and elsewhere.option == "--trace"  # then it is brought to its rate already
        return LoadRequest(
            rps=None if is_trace else self.rps,
            duration_s=None if self.duration is None else seconds(self.duration, "--duration"),
            calls=None if is_listed else self.calls,
            arrivals=self.arrivals,
            ramp=self.ramp,
            stages=self.stages,
            sine=self.sine,
            burst=self.burst,
            gap_s=None if self.gap is None else seconds(self.gap, "--gap"),
            at_once=self.at_once,
            concurrency=self.concurrency,
            think_s=None if self.think is None else seconds(self.think, "--think"),
            elsewhere=elsewhere,
        )

    def several(self) -> tuple[StreamRequest, ...]:
        """The streams of the file, if one is named. Raises BadRequest."""
        from owray.storm.streams import read_streams

        return () if self.streams is None else read_streams(self.streams)


@dataclass(frozen=True, slots=True)
class Playing:
    """How calls are played, whenever they are due."""

    timeout: Annotated[str, typer.Option(help="Give up on a call after this. OpenWhisk may rightly answer after 75 s.")] = "90s"
    late: Annotated[str, typer.Option(help="What becomes of a call that is late: send it, or drop:TIME after its time.")] = "send"
    max_in_flight: Annotated[int | None, typer.Option(help="At most so many calls under way; others are held, and rows say so.")] = None
    invokers: Annotated[int, typer.Option(help="Processes that share the plan.")] = 1


@dataclass(frozen=True, slots=True)
class Precautions:
    """What is done before the first call of the plan."""

    preflight: Annotated[bool, typer.Option(help="A few calls beforehand, and whether the storm fits the platform.")] = True
    force: Annotated[bool, typer.Option("--force", help="Play what the preflight would refuse.")] = False
    prewarm: Annotated[int, typer.Option(help="Have so many containers of each action warm when the storm begins.")] = 0
