"""What commands with objectives share: their options, and the report for a CI server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from owray.problems import Problem, tell

if TYPE_CHECKING:
    from owray.storm.junit import Findings

SloOption = Annotated[
    list[str] | None,
    typer.Option(
        "--slo",
        help="An objective: 'p99<500ms', 'ok>99.9%', 'cold<1%', 'align:service.p95<=2s', 'rps>95'. May be given again.",
        metavar="OBJECTIVE",
    ),
]
JunitOption = Annotated[
    Path | None, typer.Option("--junit", help="Write verdict and objectives as JUnit XML, for a CI server.", metavar="FILE")
]


def claim_report(path: Path | None) -> None:
    """Make sure that the report can be written, and take an older one away. Raises Problem."""
    from owray.storm.junit import check_place

    if path is None:
        return
    try:
        check_place(path)
    except (OSError, ValueError) as problem:  # ValueError: a name that no file can have
        raise Problem(f"{_cannot_write(path, problem)}  (--junit names another place)") from problem


def leave_report(path: Path | None, findings: Findings) -> bool:
    """Write the report, if one is wanted. Whether that went well; what did not is said on the error stream."""
    from owray.storm.junit import write_report

    if path is None:
        return True
    try:
        write_report(path, findings)
    except OSError as problem:
        again = f"owray judge {findings.manifest.run} --junit FILE writes it elsewhere"
        tell(f"{_cannot_write(path, problem)}  ({again})")
        return False
    return True


def _cannot_write(path: Path, problem: OSError | ValueError) -> str:
    return f"cannot write a report to {path}: {getattr(problem, 'strerror', None) or problem}."
