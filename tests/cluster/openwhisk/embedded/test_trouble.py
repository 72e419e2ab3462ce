"""benchmarks/trouble.py for a few seconds: the script works, and what it asserts of a minute holds of a short while."""

import asyncio

from benchmarks.trouble import TROUBLES, play, running


def test_after_actions_that_misbehave_the_platform_is_healthy_and_every_record_is_right(tmp_path):
    with running(tmp_path, "bench") as platform:
        findings, unwell = asyncio.run(play(platform, rps=20, duration_s=3))
    assert {name: finding.wrong for name, finding in findings.items() if finding.wrong} == {}
    assert unwell == []
    assert sum(finding.calls for finding in findings.values()) == 60
    assert all(findings[trouble.name].calls for trouble in TROUBLES)
