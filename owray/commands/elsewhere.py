"""Options for plans that come from elsewhere: a file of calls, a trace, a published series."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from owray.commands.calling import Calling
    from owray.commands.shaping import Shaping
    from owray.storm.choose import Chosen
    from owray.storm.listing import ListingRequest
    from owray.storm.load import Elsewhere
    from owray.storm.traces import TraceRequest

_PLAN_HELP = "Play the calls of a .parquet or .csv file, with columns due_us (or t_s) and, if need be, action, size, params; or lee2018."
_TRACE_HELP = "Play published Azure Functions traces (may be repeated), or synthetic, which is made like one."


@dataclass(frozen=True, slots=True)
class Planned:
    """What was planned elsewhere, and what is made of it."""

    plan: Annotated[Path | None, typer.Option(metavar="FILE|NAME", help=_PLAN_HELP)] = None
    trace: Annotated[list[str] | None, typer.Option(metavar="FILE", help=_TRACE_HELP)] = None
    trace_format: Annotated[Literal["azure2019", "azure2021"] | None, typer.Option(help="Of --trace; seen from its header.")] = None
    trace_window: Annotated[str | None, typer.Option(metavar="FROM..TO", help="Which piece: 10m..70m. Default 0s..10m.")] = None
    scale: Annotated[float | None, typer.Option(help="So many times the calls of a --plan or --trace, by the seed: 0.1 keeps a tenth.")] = (
        None
    )
    speed: Annotated[float, typer.Option(help="Play a --plan or --trace so many times as fast.")] = 1.0

    def request(self, calling: Calling, shaping: Shaping) -> ListingRequest:
        """Raises BadRequest."""
        from owray.storm.bad_request import BadRequest
        from owray.storm.listing import ListingRequest

        others = {"--streams": shaping.streams, "--mix": calling.mix, "--concurrency": shaping.concurrency}
        for option, value in others.items() if self.plan or self.trace else ():
            if value is not None:
                raise BadRequest(f"{option}: leave it out with --plan and --trace; these say when calls are due, of one workload or action")
        return ListingRequest(
            plan=self.plan,
            trace=self._trace(shaping),
            scale=self.scale,
            speed=self.speed,
            seed=shaping.seed,
            calls=shaping.calls,
            workload=calling.workload,
            action=calling.action,
            size=calling.size,
            call=calling.request(),
        )

    def _trace(self, shaping: Shaping) -> TraceRequest | None:
        from owray.storm.bad_request import BadRequest
        from owray.storm.traces import DEFAULT_WINDOW_S, TraceRequest, window_of

        if not self.trace:
            if self.trace_window is not None or self.trace_format is not None:
                raise BadRequest("--trace-window and --trace-format are for --trace")
            return None
        window_s = DEFAULT_WINDOW_S if self.trace_window is None else window_of(self.trace_window)
        return TraceRequest(tuple(self.trace), self.trace_format, window_s, shaping.rps)


@contextmanager
def drawn_up(planned: Planned, calling: Calling, shaping: Shaping, runs: Path | None) -> Iterator[tuple[Elsewhere | None, Chosen | None]]:
    """The shape of the plan from elsewhere, and what it calls, where it is a list; None each where the options do not name one.

    The list lies beside the runs for as long as this lasts, so that a run can take it. Raises BadRequest, UnknownNameError, ManifestError.
    """
    from owray.record.run import runs_folder
    from owray.storm.bad_request import BadRequest
    from owray.storm.listing import draw_up

    if planned == Planned():
        yield None, None
        return
    place = runs_folder(runs)
    request = planned.request(calling, shaping)
    bundled = request.bundled()
    if bundled is not None:
        yield bundled, None
        return
    try:
        place.mkdir(parents=True, exist_ok=True)
        spill = tempfile.TemporaryDirectory(prefix=".plan-", dir=place)
    except OSError as problem:
        raise BadRequest(f"cannot keep a run in {place}: {problem.strerror}.  (--runs-dir names another place)") from None
    with spill as folder:
        try:
            listed = draw_up(request, Path(folder))
        except OSError as problem:
            raise BadRequest(f"the plan cannot be written to {place}: {problem.strerror}") from None
        yield listed
