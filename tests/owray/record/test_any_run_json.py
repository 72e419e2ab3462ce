"""A run.json that somebody changed: it is a manifest that can be asked, or a ManifestError in one line that names the file."""

import copy
import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.runs import finished_run

from owray.ask.session import QueryError, Session
from owray.record.run import ManifestError

EXAMPLES = int(os.environ.get("OWRAY_FUZZ", "500")) // 5
ODD = (None, "", "x", 0, -1, 1e300, 10**25, True, [], [1], {}, {"a": 1}, "2026-13-45", "\u0000", [[[]]])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to everything in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    document = copy.deepcopy(document)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return document


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return finished_run(tmp_path_factory.mktemp("runs"))


@settings(max_examples=EXAMPLES, deadline=None, derandomize="OWRAY_FUZZ" not in os.environ, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_run_json_is_asked_or_refused_in_one_line(run, data):
    path = run.path / "run.json"
    good = path.read_text()
    document = json.loads(good)
    for _ in range(data.draw(st.integers(1, 3))):
        document = changed(document, data.draw(st.sampled_from(places(document))), data.draw(st.sampled_from(ODD)))
    path.write_text(json.dumps(document))
    try:
        asked = answer(run)
    finally:
        path.write_text(good)
    assert isinstance(asked, list) or ("\n" not in asked and str(path) in asked)


def answer(run) -> list[dict[str, Any]] | str:
    """What a question is answered, or the refusal."""
    try:
        session = Session([run])
    except ManifestError as error:
        return str(error)
    with session:
        try:
            return session.rows("from runs")
        except QueryError as error:
            pytest.fail(str(error))
