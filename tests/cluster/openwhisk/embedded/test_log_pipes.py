"""The reading end of a container's output, against pipes of our own."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cluster.openwhisk.embedded.file_logs import FileStore
from cluster.openwhisk.embedded.logs import READ_BYTES, SENTINEL, Collected, ContainerLogs, DockerCliStore, LogStore

MARK = SENTINEL + b"\n"
LIMIT = 1 << 20

Play = Callable[[Callable[[ContainerLogs, int, int], Awaitable[None]]], None]


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """Run `steps(logs, stdout, stderr)` with the writing ends of both pipes."""

    def playing(steps: Callable[[ContainerLogs, int, int], Awaitable[None]], store: LogStore | None = None, skew_ms: int = 0) -> None:
        async def all_of_it() -> None:
            logs = ContainerLogs(asyncio.get_running_loop(), tmp_path, store or FileStore(), skew_ms, LIMIT)
            ends = [os.open(tmp_path / stream, os.O_WRONLY) for stream in ("stdout", "stderr")]
            try:
                await steps(logs, *ends)
            finally:
                logs.close()
                for end in ends:
                    os.close(end)

        asyncio.run(all_of_it())

    return playing


def texts(collected: Collected) -> list[str]:
    return [line[31:] for line in collected.lines]


async def write(descriptor: int, data: bytes) -> None:
    """From a thread: a pipe holds 64 KiB, and its reader lives on the loop."""
    await asyncio.to_thread(lambda: [os.write(descriptor, data[at : at + READ_BYTES]) for at in range(0, len(data), READ_BYTES)])


def test_what_lies_in_a_pipe_is_taken_and_its_last_line_too(play):
    async def steps(logs, stdout, stderr):
        os.write(stdout, b"one\ntwo")
        os.write(stderr, b"three\n")
        collected = await logs.collect(LIMIT, failed=True)
        assert sorted(texts(collected)[:-1]) == ["stderr: three", "stdout: one", "stdout: two"]
        assert collected.whole

    play(steps)


def test_what_a_container_wrote_before_it_went_can_be_collected_afterwards(play):
    async def steps(logs, stdout, stderr):
        os.write(stdout, b"last words")
        logs.close()
        collected = await logs.collect(LIMIT, failed=False)  # and nobody waits for a sentinel
        assert texts(collected)[0] == "stdout: last words"
        assert not collected.whole

    play(steps)


def test_streams_are_merged_by_the_time_of_arrival(play):
    async def steps(logs, stdout, stderr):
        for number in range(6):
            os.write(stderr if number % 2 else stdout, b"%d\n" % number)
            await asyncio.sleep(0.001)
        os.write(stdout, MARK)
        os.write(stderr, MARK)
        collected = await logs.collect(LIMIT, failed=False)
        assert [text[-1] for text in texts(collected)] == list("012345")

    play(steps)


@pytest.mark.parametrize("split", range(0, len(MARK), 5))
def test_a_sentinel_behind_a_flood_is_found_even_in_two_pieces(play, split):
    async def steps(logs, stdout, stderr):
        await write(stdout, b"x" * (2 * LIMIT) + b"\n" + b"y" * 100 + MARK[:split])
        os.write(stderr, MARK)
        await asyncio.sleep(0.01)
        os.write(stdout, MARK[split:])
        collected = await logs.collect(LIMIT, failed=False)
        assert texts(collected) == [f"stderr: Logs were truncated because the total bytes size exceeds the limit of {LIMIT} bytes."]
        assert (collected.whole, collected.truncated) == (False, True)
        os.write(stdout, b"next\n" + MARK)
        os.write(stderr, MARK)
        assert texts(await logs.collect(LIMIT, failed=False)) == ["stdout: next"]

    play(steps)


def test_docker_s_client_shows_standard_output_alone_and_knows_no_limit(play):
    async def steps(logs, stdout, stderr):
        await write(stdout, b"x\n" * LIMIT + MARK)
        os.write(stderr, b"hidden\n" + MARK)
        collected = await logs.collect(1, failed=False)
        assert len(collected.lines) >= LIMIT // 42  # what is kept is bounded all the same
        assert all(line.endswith("Z x") for line in collected.lines)
        assert (collected.whole, collected.truncated) == (True, True)

    play(steps, DockerCliStore())


def test_bytes_that_are_no_text_do_not_stop_the_reading(play):
    async def steps(logs, stdout, stderr):
        os.write(stdout, b"\xff\xfe\n\n" + MARK)
        os.write(stderr, MARK)
        assert texts(await logs.collect(LIMIT, failed=False)) == ["stdout: ��", "stdout: "]

    play(steps)


def test_lines_have_the_time_of_the_invoker_s_clock(play):
    async def steps(logs, stdout, stderr):
        os.write(stdout, b"one\n" + MARK)
        os.write(stderr, MARK)
        (line,) = (await logs.collect(LIMIT, failed=False)).lines
        assert re.match(r"2\d{3}-", line)
        assert int(line[:4]) > 2080

    play(steps, skew_ms=60 * 365 * 86_400_000)
