"""The screens of a preflight, whole."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from support.golden import is_golden

from owray.plan.mix import Entry
from owray.record.layout import NULL_32, Outcome
from owray.storm import preflight_view as view
from owray.storm.beforehand import Called
from owray.storm.ceilings import weigh
from owray.storm.figures import Ceiling, Demand, Fit, Measured, Supply
from owray.storm.prewarm import Prewarmed
from owray.storm.probing import Probe
from owray.wire.outcome import Reading

STANDALONE = Supply(60, 30, 1024, 1 << 20, 1, 19_744, 28_232, "standalone")
BENCH = Supply(999_999, 999_999, 2048, 1 << 20, 1, 19_744, 28_232, "bench")
SLEEP = Measured("sleep", 0.5, 22, (1001,) * 5, (1003.0,) * 5, (0.0,) * 5, 128, 60_000)
ALIGN = Measured("align", 0.5, 22, (15,) * 5, (17.0,) * 5, (14.0,) * 5, 256, 60_000)
NOOP = replace(ALIGN, name="noop", share=1.0, duration_ms=(1,) * 5, cpu_ms=(0.0,) * 5)
STORM = Demand(100, 6000, 60.0, 90_000, spent_calls=12)


def called(name, cold_ms, warm_ms):
    probes = [Probe(Reading(Outcome.OK, init_ms=9 if cold else NULL_32), ms, "") for cold, ms in ((True, cold_ms), (False, warm_ms))]
    return Called(Entry("micro", name, "", name), probes)


CALLED = [called("sleep", 1052.4, 1003.2), called("align", 52.4, 17.04)]


def printed(show, *arguments, width=100):
    text = io.StringIO()
    show(*arguments, Console(file=text, width=width))
    return text.getvalue()


def test_a_refusal_shows_all_ceilings_and_the_cures():
    ceilings = weigh(STORM, STANDALONE, (SLEEP, ALIGN))
    spoilers = [each for each in ceilings if each.level is Fit.SPOILS]
    screen = printed(view.show_refusal, CALLED, ceilings, STANDALONE)
    assert is_golden("preflight_refusing.txt", f"{screen}owray: {view.refusal(spoilers, STANDALONE)}\n")


def test_a_refusal_fits_a_terminal_of_80_columns():
    screen = printed(view.show_refusal, CALLED, weigh(STORM, STANDALONE, (SLEEP, ALIGN)), STANDALONE, width=80)
    table = screen.partition("\nrefused")[0].splitlines()[1:]
    assert "…" not in screen
    assert len(table) == 7


def test_an_action_that_fails_is_refused_in_its_own_words():
    broken = Ceiling("align", "", "", Fit.SPOILS, note="align fails: application_error: no such base: 'Z'")
    failing = Called(CALLED[1].entry, [Probe(Reading(Outcome.APPLICATION_ERROR), 12.0, "no such base: 'Z'")])
    screen = printed(view.show_refusal, [failing], [broken, *weigh(STORM, BENCH, (NOOP,))], BENCH)
    assert screen == "preflight  align: no call went well\nrefused    align fails: application_error: no such base: 'Z'\n"
    assert view.refusal([broken], BENCH) == f"not played: {broken.note}.  (--force plays it all the same)"


def test_what_an_action_says_does_nothing_to_the_terminal():
    rude = Ceiling("payload of al\x1b[1Agn", "9", "2", Fit.SPOILS)
    words = Ceiling("align", "", "", Fit.SPOILS, note="align fails: \x1b[2J\x07")
    screen = printed(view.show_refusal, CALLED[1:], [rude, words], BENCH)
    assert "\x1b" not in screen
    assert "\x07" not in screen
    assert "refused    align fails: \\x1b[2J\\x07\n" in screen
    assert "al\\x1b[1Agn" in screen


def test_a_storm_that_fits_takes_one_line():
    ceilings = weigh(replace(STORM, rps=1, planned=60), BENCH, (SLEEP, ALIGN))
    assert printed(view.show_passed, CALLED, ceilings, BENCH, 60.0) == (
        "preflight  sleep: cold 1,052 ms, warm 1,003 ms; align: cold 52.4 ms, warm 17 ms; "
        "binds first: container memory (2,048 MB), at about 31 calls a second\n"
    )


def test_what_a_minute_allows_is_told_for_the_length_of_the_storm():
    ceilings = weigh(replace(STORM, rps=2, planned=20, length_s=10.0), STANDALONE, (NOOP,))
    (line,) = printed(view.show_passed, CALLED[1:], ceilings, STANDALONE, 10.0).splitlines()
    assert line.endswith("; binds first: calls a minute (60), at 6 calls a second for 10 s")


@pytest.mark.parametrize(
    ("kind", "supply", "line"),
    [
        ("web", STANDALONE, "preflight  x: web actions are not called beforehand; calls a minute: 20 asked for, 60 there\n"),
        ("trigger", Supply(fires_a_minute=90), "preflight  x: triggers are not fired beforehand; fires a minute: 20 asked for, 90 there\n"),
        ("web", Supply(), "preflight  x: web actions are not called beforehand\n"),
    ],
)
def test_of_what_is_not_called_beforehand_only_the_limits_are_told(kind, supply, line):
    ceilings = weigh(replace(STORM, planned=20, is_fired=kind == "trigger"), supply, (Measured("x", 1.0, 2),))
    assert printed(view.show_passed, [Called(Entry("own", "x", "", "x", kind=kind), [])], ceilings, supply, 10.0) == line


def test_warnings_and_what_was_forced_take_a_line_each():
    ceilings = weigh(replace(STORM, timeout_ms=5000), replace(STANDALONE, memory_mb=None), (ALIGN,))
    lines = printed(view.show_passed, CALLED[1:], ceilings, STANDALONE, 60.0).splitlines()
    assert lines[1:] == [
        "forced     calls a minute: 6,000 asked for, 60 there",
        "warning    --timeout 5s gives up on align before the platform does, after 60 s",
    ]


def test_prewarming_says_how_many_are_warm():
    enough = Prewarmed("noop", 8, 9, 0, 24)
    short = Prewarmed("align", 20, 8, 2, 60)
    stopped = Prewarmed("sleep", 20, 4, 0, 20, "throttled_rate: Too many requests in the last minute (count: 61, allowed: 60).")
    assert printed(view.show_prewarmed, [enough, short, stopped]).splitlines() == [
        "prewarm    noop: 8 of 8 containers warm; 8 calls at once started none anew",
        "warning    align: 8 of 20 containers warm; 20 calls at once started 2 anew",
        "warning    sleep: 4 of 20 containers warm: " + stopped.problem,
    ]
