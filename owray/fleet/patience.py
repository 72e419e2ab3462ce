"""How long a fleet waits: for its start, for an invoker that does not answer, a command for its coordinator.

Silence alone is no reason: an invoker may be stuck for a while and come back, and its rows say how long. But there is a time after which
nothing can be under way any more, and who is silent then will not come back. An invoker that answers is never given up, however long it
takes: with a cap on calls in flight the held ones may outlast the plan by far.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds, as a storm has them; a test of who does not answer has less time."""

    lead_s: float = 2.0
    """From "all ready" to t0: long enough that the slowest invoker has heard of it."""

    silent_s: float = 10.0
    """Without an answer of an invoker, when all that was sent must have ended: answers come twice a second."""

    silent_after_cut_s: float = 5.0
    """The same after an order to end at once."""

    sealed_within_s: float = 30.0
    """For a scribe to convert what is left: a journal of a million rows takes about a second."""

    killed_within_s: float = 10.0
    """For a process to be gone once it was killed, on a machine that has much else to do."""

    coordinator_silent_s: float = 60.0
    """Without an answer of the coordinator for so long the command ends: the coordinator only waits itself, and is never busy for long."""


@dataclass(slots=True)
class Patience:
    """Times are nanoseconds on one clock. `all_ended_ns` is when the last call must have ended: that of the plan, or of an early stop."""

    all_ended_ns: int
    waits: Waits
    cut_ns: int | None = None

    def stopped(self, now_ns: int, timeout_ns: int) -> None:
        """No more calls are sent from now on."""
        self.all_ended_ns = min(self.all_ended_ns, now_ns + timeout_ns)

    def cut(self, now_ns: int) -> None:
        """Everything was told to end now. Only the first order counts: who repeats it would only wait longer."""
        if self.cut_ns is None:
            self.cut_ns = now_ns

    def is_over(self, now_ns: int, answered_ns: int) -> bool:
        """Whether an invoker that last answered then is to be given up."""
        if self.cut_ns is not None and now_ns - max(self.cut_ns, answered_ns) > self.waits.silent_after_cut_s * 1e9:
            return True
        return now_ns - max(self.all_ended_ns, answered_ns) > self.waits.silent_s * 1e9
