"""What a closed loop asks for, estimated from the calls of a preflight."""

import pytest

from owray.judge.objectives import parse
from owray.plan.closed import Closed
from owray.storm.closed_demand import closed_demand, too_few_calls
from owray.storm.figures import Demand, Fit, Measured
from owray.storm.load import LoadRequest
from owray.storm.objectives import check_samples
from owray.storm.request import StormRequest

UNKNOWN = Demand(rps=0.0, planned=1, length_s=10.0, timeout_ms=1000)
SHOWN = (Measured("noop", 1.0, 2, duration_ms=(8.0,), service_ms=(10.0,)),)
COMPUTING = (Measured("align", 1.0, 2, duration_ms=(100.0,), service_ms=(100.0,), cpu_ms=(100.0,)),)


@pytest.mark.parametrize(
    ("loop", "calls", "measured", "rps", "planned", "length_s"),
    [
        (Closed(16, 0.0, 5.0), None, SHOWN, 1600, 8000, 5.0),
        (Closed(16, 0.09, 5.0), None, SHOWN, 160, 800, 5.0),
        (Closed(16), 800, SHOWN, 1600, 800, 0.5),
        (Closed(16, 0.0, 5.0), None, COMPUTING, 20, 100, 5.0),  # two cores compute no more
        (Closed(16, 0.0, 5.0), None, (), 0, 1, 5.0),
    ],
)
def test_users_make_as_many_calls_as_service_thinking_and_cores_allow(loop, calls, measured, rps, planned, length_s):
    found = closed_demand(UNKNOWN, loop, calls, 2, measured)
    assert (round(found.rps), found.planned, found.length_s, found.max_in_flight) == (rps, planned, length_s, 16)


def asked(**load):
    return StormRequest(LoadRequest(concurrency=16, **load), action="noop", warmup_s=1.0, objectives=(parse("p99.9<1s"),))


def test_an_objective_that_is_likely_to_get_too_few_calls_is_warned_of_and_not_refused():
    request = asked(duration_s=5.0)
    check_samples(request)
    (warning,) = too_few_calls(request, closed_demand(UNKNOWN, Closed(16, 0.0, 5.0), None, 2, SHOWN))
    assert (warning.level, warning.note) == (
        Fit.DOUBTFUL,
        "an objective takes 10,000 calls after the warm-up, and in 4 s these users make about 6,400 at most",
    )
    assert not list(too_few_calls(asked(duration_s=60.0), closed_demand(UNKNOWN, Closed(16, 0.0, 60.0), None, 2, SHOWN)))
