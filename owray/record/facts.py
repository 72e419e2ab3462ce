"""What was measured of a run, as plain numbers: `owray.ask` draws them from the rows, `owray.judge` weighs them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """The witness for and against a run.

    Calls of the whole run: `planned` by the recipe and `expected` by its rate (a Poisson plan may differ by chance), `missing` planned
    calls without a row, `duplicate` rows beyond a call's first, `foreign` rows of no planned call. `in_flight_us` is the integral of
    calls in flight over time as the invokers counted it (None where one did not report), `in_system_us` the same as the rows say it.

    Calls of the measure phase: how many were due, attempted and ok; times over those dispatched. None means there were none to tell.
    `users` are those of a closed loop, None for an open one.

    `dispatch_cv2` and `plan_cv2` are squared coefficients of variation of the gaps between dispatches, and of those planned.
    """

    planned: int
    expected: float
    poisson: bool
    missing: int
    duplicate: int
    foreign: int
    in_flight_us: int | None
    in_system_us: int
    due: int
    attempted: int
    ok: int
    lag_p99_us: float | None
    service_p50_us: float | None
    mean_gap_us: float | None
    dispatch_cv2: float | None
    plan_cv2: float | None
    lost_invokers: tuple[int, ...] = ()
    late_invokers: tuple[int, ...] = ()
    users: int | None = None
