"""How long an answer waits for the news that memory was exhausted: as long as with docker, unless it is known at once."""

import time

import pytest

EXITS = "import os\ndef main(args):\n    os._exit(1)\n"
EXITS_WHEN_LOADED = "import os\nos._exit(1)\n"
HANGS = "import time\ndef main(args):\n    time.sleep(600)\n"
FILLS = "def main(args):\n    return {'n': len(b'1' * (600 * 2**20))}\n"
SAYS_SO = "import sys\ndef main(args):\n    sys.exit(1)\n"
WAIT_MS = 1500


@pytest.fixture(scope="module")
def waiting(new_platform):
    """It looks for exhausted memory as docker's factories do."""
    with new_platform(oom_wait_ms=WAIT_MS) as api:
        yield api


def answered_after_end_ms(api, name, code):
    api.action(name, code, limits={"timeout": 200 if code is HANGS else 60_000})
    reply = api.invoke(name)
    assert reply.status == 502
    return time.time() * 1000 - reply.json["end"], reply


@pytest.mark.parametrize("code", [EXITS, EXITS_WHEN_LOADED, HANGS])
def test_the_answer_to_a_broken_or_timed_out_call_waits_and_its_record_does_not(waiting, name, code):
    waited_ms, reply = answered_after_end_ms(waiting, name, code)
    assert waited_ms >= WAIT_MS - 2  # two clocks, each of whole milliseconds
    assert reply.json["duration"] < WAIT_MS


@pytest.mark.parametrize("code", [FILLS, SAYS_SO])
def test_what_is_known_at_once_is_answered_at_once(waiting, name, code):
    waited_ms, _ = answered_after_end_ms(waiting, name, code)
    assert waited_ms < WAIT_MS


def test_while_the_answer_waits_the_container_holds_its_memory(new_platform, name):
    wait_ms = 400
    with new_platform(oom_wait_ms=wait_ms, user_memory_mb=512) as api:
        api.action(name, EXITS, limits={"memory": 512})
        begun = time.monotonic()
        calls = [api.start(name) for _ in range(2)]
        assert all(call.result().status == 502 for call in calls)
        assert time.monotonic() - begun >= 2 * wait_ms / 1000 - 0.01


@pytest.mark.parametrize("code", [EXITS, HANGS])
def test_in_a_profile_without_the_wait_nothing_waits(api, name, code):
    waited_ms, _ = answered_after_end_ms(api, name, code)
    assert waited_ms < WAIT_MS
