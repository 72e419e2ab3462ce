"""The engine: plays one share of a plan on one core.

Open loop: a call is dispatched when it is due, whatever became of the ones before it. A call that could not be dispatched in time is
dispatched late, with its lag in its row; none is dropped, moved or filled in afterwards. Everything runs as callbacks on one event loop:
no Task or Future per call, one dictionary of calls in flight, one alarm for the next call due, one tick for time-outs and the journal.

A time is read where something happens, and differences are taken of whole microseconds from t0, so a row's parts add up to its response.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from owray.http1.connection import Connection, ProtocolError
from owray.http1.pool import Pool
from owray.record.layout import NULL_8, NULL_16, NULL_32, NULL_64, Outcome
from owray.wire.agenda import Agenda, Due
from owray.wire.alarm import Alarm
from owray.wire.call import Call
from owray.wire.counters import Counters, bucket_of
from owray.wire.outcome import Reading, error_template
from owray.wire.requests import Prepared

BATCH_CALLS = 64
"""Calls dispatched before the loop may turn to replies again: a backlog must not make the invoker deaf."""

COALESCE_US = 100
"""The alarm is set no sooner than this ahead: above 10,000 calls a second several go out per wake-up, each at most this late."""

TICK_S = 0.05
"""How often time-outs, the journal and the next window are looked after."""

DEFAULT_TIMEOUT_MS = 90_000
"""OpenWhisk may rightly answer after 60 s (a 202), 65 s (the controller's limit) or 75 s (nginx's)."""

_NEVER = 1 << 62
_TIMED_OUT = Reading(Outcome.TIMEOUT, "no answer within the time-out")
_CUT_OFF = Reading(Outcome.LOST, "cut off")
_STOPPED = Reading(Outcome.UNSENT, "the storm was stopped")
_DROPPED = Reading(Outcome.UNSENT, "dropped: later than --late allows")


class Rows(Protocol):
    """Where finished calls go (owray.record.journal.Recorder); only `tick` touches the disk and may raise OSError."""

    @property
    def containers(self) -> int: ...

    def add(self, *fields: int | bytes) -> None: ...

    def container(self, fingerprint: str) -> int: ...

    def error(self, template: str) -> int: ...

    def mark(self, seq: int) -> None: ...

    def tick(self, now_ns: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user allows: time per call from its attempt on, calls in flight at once (None: no cap), and how late a call may be attempted
    (None: however late); one that is later is dropped, and its row says so."""

    timeout_ms: int = DEFAULT_TIMEOUT_MS
    max_in_flight: int | None = None
    drop_after_ms: int | None = None


class Invoker:
    """Plays an agenda; `done` ends when every call of them has ended, or with the error that ended the storm (a full disk)."""

    def __init__(
        self,
        agenda: Agenda,
        requests: list[list[Prepared]],
        pool: Pool,
        rows: Rows,
        limits: Limits,
        clock_ns: Callable[[], int],
        make_alarm: Callable[[Callable[[], None]], Alarm],
    ) -> None:
        self._agenda = agenda
        self._requests = requests
        self._pool = pool
        self._rows = rows
        self._timeout_us = limits.timeout_ms * 1000
        self._cap = limits.max_in_flight if limits.max_in_flight is not None else _NEVER
        self._drop_after_us = limits.drop_after_ms * 1000 if limits.drop_after_ms is not None else _NEVER
        self._clock_ns = clock_ns
        self._loop = asyncio.get_running_loop()
        self._alarm = make_alarm(self._dispatch_due)
        self._t0_ns = 0
        self._held: deque[Call] = deque()
        self._in_flight: dict[int, Call] = {}
        self._counted_at_us = 0
        self.counters = Counters()
        self.done: asyncio.Future[None] = self._loop.create_future()

    # --- playing

    def play(self, t0_ns: int) -> None:
        """Start the plan's clock: a call due at x is dispatched at `t0_ns` + x on the monotonic clock."""
        self._t0_ns = t0_ns
        self._set_alarm(0)
        self._end_if_over()
        self._loop.call_later(TICK_S, self._tick)

    def stop(self) -> None:
        """Dispatch no more; calls under way run to their end, held ones are given up as unsent. Also before `play`, which then ends."""
        self._agenda.close()
        self._alarm.close()
        now_us = self.now_us()
        while self._held:
            self._give_up(self._held.popleft(), now_us, _STOPPED)
        self._end_if_over()

    def cut(self) -> None:
        """Stop, and end what is under way at once: those calls are lost."""
        self.stop()
        for call in list(self._in_flight.values()):
            self._expire(call, _CUT_OFF)

    def snapshot(self) -> Counters:
        """The sums so far; a copy is the caller's to make."""
        self._count_area(self.now_us())
        self.counters.in_flight = len(self._in_flight)
        self.counters.held_now = len(self._held)
        self.counters.containers = self._rows.containers
        return self.counters

    def now_us(self) -> int:
        return (self._clock_ns() - self._t0_ns) // 1000

    # --- dispatching

    def _dispatch_due(self) -> None:
        """The alarm rang: dispatch what is due, at most a batch, and set the alarm for the next."""
        for _ in range(BATCH_CALLS):
            due = self._agenda.next
            now_us = self.now_us()
            if due is None or due[1] > now_us:
                break
            self._agenda.advance()
            self._dispatch(due, now_us)
        if self._agenda.next is None:
            self._end_if_over()
        else:
            self._set_alarm(self.now_us())

    def _dispatch(self, due: Due, now_us: int) -> None:
        seq, intended_us, entry, variant = due
        call = Call(self, seq, intended_us, now_us, entry, self._requests[entry][variant])
        counters = self.counters
        counters.dispatched += 1
        if now_us - intended_us > counters.lag_max_us:
            counters.lag_max_us = now_us - intended_us
        if now_us - intended_us > self._drop_after_us:
            self._give_up(call, now_us, _DROPPED)
        elif len(self._in_flight) >= self._cap:
            counters.held += 1
            self._held.append(call)
        else:
            self._attempt(call, now_us)

    def _attempt(self, call: Call, now_us: int) -> None:
        call.attempted_us = now_us
        self._count_area(now_us)
        self._in_flight[call.seq] = call
        self.counters.attempted += 1
        self._rows.mark(call.seq)
        connection = self._pool.take()
        if connection is None:
            call.waited = True
            self._pool.wait(call)
        else:
            self.send(call, connection, now_us)

    def send(self, call: Call, connection: Connection, now_us: int) -> None:
        """The call has its connection: off it goes."""
        request = call.request.of(call.seq)
        call.connection = connection
        call.reused = connection.uses > 0
        call.sent_us = now_us
        call.bytes_out = len(request)
        connection.send(request, call)

    def _set_alarm(self, now_us: int) -> None:
        due = self._agenda.next
        if due is not None:
            self._alarm.set(self._t0_ns + max(due[1], now_us + COALESCE_US) * 1000)

    # --- endings of a call

    def answered(self, call: Call, connection: Connection, status: int, body: bytes) -> None:
        """A whole reply. One that came after the time-out but before the tick that would have seen it is none."""
        now_us = self.now_us()
        request = call.request
        first_us = (connection.first_byte_ns - self._t0_ns) // 1000
        if now_us - call.attempted_us < self._timeout_us:
            reading = request.read(status, body, connection.header, request.expected)
            self._finish(call, now_us, reading, status, first_us, connection.received)
        else:
            self._finish(call, now_us, _TIMED_OUT, NULL_16, first_us, connection.received, censored=True)
        self._pool.give_back(connection)
        self._go_on(now_us)

    def broken(self, call: Call, connection: Connection, error: Exception | None) -> None:
        """The connection ended before the reply did. The call may have run: it is never sent again."""
        outcome = Outcome.PROTOCOL_ERROR if isinstance(error, ProtocolError) else Outcome.CONNECTION_LOST
        text = "closed by the server" if error is None else error_template(f"{type(error).__name__}: {error}")
        first_us = (connection.first_byte_ns - self._t0_ns) // 1000 if connection.first_byte_ns else -1
        now_us = self.now_us()
        self._finish(call, now_us, Reading(outcome, text), NULL_16, first_us, connection.received)
        self._pool.give_back(connection)
        self._go_on(now_us)

    def unconnected(self, call: Call, error: Exception) -> None:
        """No connection could be opened for the call."""
        reading = Reading(Outcome.CONNECT_ERROR, error_template(f"{type(error).__name__}: {error}"))
        now_us = self.now_us()
        self._finish(call, now_us, reading, NULL_16, -1, 0)
        self._go_on(now_us)

    def _expire(self, call: Call, reading: Reading) -> None:
        """End a call from outside: its connection is of no use any more, its elapsed time is a lower bound."""
        call.waiting = False
        connection = call.connection
        first_us = -1
        if connection is not None:
            first_us = (connection.first_byte_ns - self._t0_ns) // 1000 if connection.first_byte_ns else -1
            connection.abort()
        received = 0 if connection is None else connection.received
        now_us = self.now_us()
        self._finish(call, now_us, reading, NULL_16, first_us, received, censored=True)
        self._go_on(now_us)

    def _give_up(self, call: Call, now_us: int, reading: Reading) -> None:
        """A call that is never attempted: the storm's end overtakes it, or it is too late to be of use."""
        call.attempted_us = now_us
        self.counters.outcomes[Outcome.UNSENT] += 1
        self._write(call, now_us, reading, NULL_16, -1, 0, True)

    def _finish(
        self, call: Call, now_us: int, reading: Reading, status: int, first_us: int, received: int, *, censored: bool = False
    ) -> None:
        self._count_area(now_us)
        del self._in_flight[call.seq]
        counters = self.counters
        counters.finished += 1
        counters.outcomes[reading.outcome] += 1
        counters.responses[bucket_of(now_us - call.intended_us)] += 1
        if reading.init_ms != NULL_32:
            counters.cold += 1
        self._write(call, now_us, reading, status, first_us, received, censored)
        call.connection = None

    def _write(self, call: Call, now_us: int, reading: Reading, status: int, first_us: int, received: int, censored: bool) -> None:
        """Pack the row, in the order of owray.record.layout.PACKED_FIELDS."""
        sent = call.sent_us >= 0
        rows = self._rows
        connection = call.connection
        if sent:
            connect_us = call.sent_us - call.attempted_us if call.waited else NULL_64
        else:
            connect_us = now_us - call.attempted_us if call.waited else NULL_64
        rows.add(
            call.seq,
            call.intended_us,
            call.dispatched_us - call.intended_us,
            call.attempted_us - call.dispatched_us if call.attempted_us != call.dispatched_us else NULL_64,
            connect_us,
            first_us - call.sent_us if first_us >= 0 else NULL_64,
            now_us - call.sent_us if sent else NULL_64,
            reading.ow_start_ms,
            reading.activation_id,
            reading.wait_ms,
            reading.init_ms,
            reading.duration_ms,
            NULL_32 if reading.container is None else rows.container(reading.container),
            reading.container_calls,
            reading.gen_us,
            reading.compute_us,
            reading.io_us,
            NULL_32 if reading.error is None else rows.error(reading.error),
            NULL_32,
            NULL_32 if connection is None else connection.number,
            call.bytes_out if sent else NULL_32,
            received if sent else NULL_32,
            status,
            call.entry,
            reading.outcome,
            reading.checked,
            censored,
            call.reused if sent else NULL_8,
        )

    def _go_on(self, now_us: int) -> None:
        """A call has ended: there may be room for a held one, or somebody who waited for its end."""
        if self._held:
            self._release_held()
        if self._agenda.ended(now_us):
            self._dispatch_due()
        else:
            self._end_if_over()

    def _release_held(self) -> None:
        while self._held and len(self._in_flight) < self._cap:
            now_us = self.now_us()
            self._drop_late(now_us)
            if self._held:
                self._attempt(self._held.popleft(), now_us)

    def _drop_late(self, now_us: int) -> None:
        while self._held and now_us - self._held[0].intended_us > self._drop_after_us:
            self._give_up(self._held.popleft(), now_us, _DROPPED)
        self._end_if_over()

    # --- looking after

    def _tick(self) -> None:
        """Time-outs, the journal's blocks, the next window: each cheap when there is nothing to do."""
        if self.done.done():
            return
        now_us = self.now_us()
        for call in list(self._overdue(now_us)):
            self._expire(call, _TIMED_OUT)
        self._drop_late(now_us)
        try:
            self._rows.tick(self._clock_ns())
        except OSError as error:
            self._fail(error)
            return
        self._pool.prune(self._clock_ns())
        self._agenda.look_ahead()
        self._loop.call_later(TICK_S, self._tick)

    def _overdue(self, now_us: int) -> Iterator[Call]:
        """Calls attempted longer ago than the time-out; the dictionary keeps them in order of attempt."""
        for call in self._in_flight.values():
            if now_us - call.attempted_us < self._timeout_us:
                return
            yield call

    def _count_area(self, now_us: int) -> None:
        in_flight = len(self._in_flight)
        counters = self.counters
        counters.area_call_us += in_flight * (now_us - self._counted_at_us)
        self._counted_at_us = now_us
        if in_flight > counters.most_in_flight:
            counters.most_in_flight = in_flight

    def _end_if_over(self) -> None:
        if self._agenda.over and not self._in_flight and not self._held and not self.done.done():
            self._alarm.close()
            self.done.set_result(None)

    def _fail(self, error: OSError) -> None:
        """Rows cannot be written any more: a storm without evidence is not worth its load."""
        if not self.done.done():
            self.done.set_exception(error)
        self.stop()
