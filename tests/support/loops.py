"""Running a coroutine of a test on an event loop of its own, on asyncio's and on uvloop's."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


def run(main: Coroutine[Any, Any, Any], loop: str = "uvloop", within_s: float = 30.0) -> Any:
    """The coroutine's result. What no caller could catch (an exception in a callback) fails the test, as does taking too long."""
    problems: list[dict[str, Any]] = []

    async def bounded() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        async with asyncio.timeout(within_s):
            result = await main
        await settled()
        await asyncio.sleep(0.005)  # and the peer's kernel, too
        await settled()
        return result

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        result = runner.run(bounded())
    assert not problems, problems
    return result


async def settled() -> None:
    """A few turns of the loop: what was closed gets to say so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait for something that has no event of its own."""
    give_up_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_at, "waited in vain"
        await asyncio.sleep(0.002)
