"""The screens of a preflight, whole."""

import io
from dataclasses import replace

from rich.console import Console
from support.golden import is_golden

from owray.plan.mix import Entry
from owray.record.layout import NULL_32, Outcome
from owray.storm import preflight_view as view
from owray.storm.ceilings import weigh
from owray.storm.figures import Asked, Capacity, Ceiling, Level, Measured
from owray.storm.preflight import Called
from owray.storm.prewarm import Prewarmed
from owray.storm.probing import Probe
from owray.wire.outcome import Reading

STANDALONE = Capacity(60, 30, 1024, 1 << 20, 1, 19_744, 28_232, "standalone")
BENCH = Capacity(999_999, 999_999, 2048, 1 << 20, 1, 19_744, 28_232, "bench")
SLEEP = Measured("sleep", 0.5, 22, (1001,) * 5, (1003.0,) * 5, (0.0,) * 5, 128, 60_000)
ALIGN = Measured("align", 0.5, 22, (15,) * 5, (17.0,) * 5, (14.0,) * 5, 256, 60_000)
NOOP = replace(ALIGN, name="noop", share=1.0, duration_ms=(1,) * 5, cpu_ms=(0.0,) * 5)
STORM = Asked(100, 6000, 6000, 60.0, 90_000, spent_calls=12)


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
    spoilers = [each for each in ceilings if each.level is Level.SPOILS]
    screen = printed(view.show_refusal, CALLED, ceilings, STANDALONE)
    assert is_golden("preflight_refusing.txt", f"{screen}owray: {view.refusal(spoilers, STANDALONE)}\n")


def test_a_refusal_fits_a_terminal_of_80_columns():
    screen = printed(view.show_refusal, CALLED, weigh(STORM, STANDALONE, (SLEEP, ALIGN)), STANDALONE, width=80)
    table = screen.partition("\nrefused")[0].splitlines()[1:]
    assert "…" not in screen
    assert len(table) == 7


def test_an_action_that_fails_is_refused_in_its_own_words():
    broken = Ceiling("align", "", "", Level.SPOILS, note="align fails: application_error: no such base: 'Z'")
    failing = Called(CALLED[1].entry, [Probe(Reading(Outcome.APPLICATION_ERROR), 12.0, "no such base: 'Z'")])
    screen = printed(view.show_refusal, [failing], [broken, *weigh(STORM, BENCH, (NOOP,))], BENCH)
    assert screen == "preflight  align: no call went well\nrefused    align fails: application_error: no such base: 'Z'\n"
    assert view.refusal([broken], BENCH) == f"not played: {broken.note}.  (--force plays it all the same)"


def test_what_an_action_says_does_nothing_to_the_terminal():
    rude = Ceiling("payload of al\x1b[1Agn", "9", "2", Level.SPOILS)
    words = Ceiling("align", "", "", Level.SPOILS, note="align fails: \x1b[2J\x07")
    screen = printed(view.show_refusal, CALLED[1:], [rude, words], BENCH)
    assert "\x1b" not in screen
    assert "\x07" not in screen
    assert "refused    align fails: \\x1b[2J\\x07\n" in screen
    assert "al\\x1b[1Agn" in screen


def test_a_storm_that_fits_takes_one_line():
    ceilings = weigh(replace(STORM, rps=1, planned=60), BENCH, (SLEEP, ALIGN))
    assert printed(view.show_passed, CALLED, ceilings, BENCH) == (
        "preflight  sleep: cold 1052 ms, warm 1003 ms; align: cold 52 ms, warm 17 ms; "
        "binds first: container memory, about 31 calls a second\n"
    )


def test_warnings_and_what_was_forced_take_a_line_each():
    ceilings = weigh(replace(STORM, timeout_ms=5000), replace(STANDALONE, memory_mb=None), (ALIGN,))
    lines = printed(view.show_passed, CALLED[1:], ceilings, STANDALONE).splitlines()
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
