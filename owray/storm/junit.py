"""The verdict and the objectives of a run as JUnit XML, the form in which CI servers read results.

    testsuites
      testsuite           the run, with its id and what was played as properties
        testcase          `verdict`: an error where the run is INVALID or ended early, since then nothing was shown
        testcase          each objective: a failure where it was missed, or could not be decided

Only what Jenkins, GitLab and GitHub readers have in common is used.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from xml.etree import ElementTree as ET

from owray.judge.results import ObjectiveResult, State
from owray.judge.verdict import Level, Verdict
from owray.record.durable import write_atomically
from owray.record.run import Manifest

# What XML 1.0 has no form for, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Findings:
    """What there is to report of a run; `aborted` says why it ended early, if it did."""

    manifest: Manifest
    verdict: Verdict
    objectives: Sequence[ObjectiveResult]
    aborted: str | None = None


def check_place(path: Path) -> None:
    """See that a report can be written there, and take an older one away: nobody shall take it for this one.

    Raises OSError, also for what is no plain file: a device or a link is nothing to be replaced.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OSError(errno.EINVAL, "it is there, and no plain file", str(path))
    with TemporaryFile(dir=path.parent):
        path.unlink(missing_ok=True)


def write_report(path: Path, findings: Findings) -> None:
    """Write the report, at once or not at all. Raises OSError."""
    write_atomically(path, document(findings))


def document(findings: Findings) -> str:
    """The report as a text."""
    manifest = findings.manifest
    cases = [_verdict_case(findings), *(_objective_case(result) for result in findings.objectives)]
    failures = sum(case.find("failure") is not None for case in cases)
    errors = sum(case.find("error") is not None for case in cases)
    totals = {"tests": str(len(cases)), "failures": str(failures), "errors": str(errors), "time": f"{_played_s(manifest):.3f}"}
    root = ET.Element("testsuites", {"name": "owray", **totals})
    suite = ET.SubElement(root, "testsuite", {"name": "owray storm", **totals, "skipped": "0", "timestamp": _timestamp(manifest)})
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(findings).items():
        ET.SubElement(properties, "property", {"name": name, "value": _text(value)})
    suite.extend(cases)
    ET.indent(root)
    ascii_only = ET.tostring(root).decode("ascii")  # right in whatever encoding it is written
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ascii_only}\n'


def _verdict_case(findings: Findings) -> ET.Element:
    verdict = findings.verdict
    case = _case("owray.verdict", "verdict")
    reasons = [f"ended early: {findings.aborted}"] if findings.aborted is not None else []
    reasons += verdict.reasons
    told = [*reasons, *verdict.notes]
    if findings.aborted is not None or verdict.level is Level.INVALID:
        kind = verdict.level.value if verdict.level is Level.INVALID else "aborted"
        _add(case, "error", told, kind)
    elif told:
        ET.SubElement(case, "system-out").text = _text("\n".join([f"{verdict.level.value}:", *told]))
    return case


def _objective_case(result: ObjectiveResult) -> ET.Element:
    action = result.objective.metric.action
    case = _case("owray.objectives" if action is None else f"owray.objectives.{action}", str(result.objective))
    if result.state is State.MET:
        ET.SubElement(case, "system-out").text = _text(result.sentence)
    else:
        _add(case, "failure", [result.sentence], result.state.value)
    return case


def _case(classname: str, name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": _text(classname), "name": _text(name), "time": "0"})


def _add(case: ET.Element, tag: str, reasons: Sequence[str], kind: str) -> None:
    told = ET.SubElement(case, tag, {"message": _text(reasons[0] if reasons else kind), "type": kind})
    told.text = _text("\n".join(reasons))


def _properties(findings: Findings) -> dict[str, str]:
    recipe = findings.manifest.recipe
    closed = recipe.closed
    load = {"rps": f"{recipe.mean_rps:g}"} if closed is None else {"closed_loop_users": f"{closed.users}"}
    return {
        "run": findings.manifest.run,
        "verdict": findings.verdict.level.value,
        "actions": ", ".join(dict.fromkeys(entry.action for entry in recipe.entries)),
        **load,
        "target": str(findings.manifest.target_url or ""),
    }


def _played_s(manifest: Manifest) -> float:
    """From t0 to the end, as far as both are known."""
    if manifest.t0_utc is None or manifest.ended_at is None:
        return 0.0
    return max(0.0, (datetime.fromisoformat(manifest.ended_at) - datetime.fromisoformat(manifest.t0_utc)).total_seconds())


def _timestamp(manifest: Manifest) -> str:
    """UTC, in whole seconds and without a zone: the form that all readers take."""
    return datetime.fromisoformat(manifest.t0_utc or manifest.started_at).strftime("%Y-%m-%dT%H:%M:%S")


def _text(text: str) -> str:
    return _NOT_XML.sub("?", text)
