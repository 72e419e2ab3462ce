"""An invoker that is stuck (SIGSTOP): the others are played and shown as if nothing were."""

import json
import os
import signal
import time

from support.storms import against_gateway, player_pids

RPS = 100
STUCK_S = 3.0
STALE_S = 1.0
"""What is shown is at most so old: a look of the coordinator and one of the driver, on a machine that is busy with other things."""


def test_a_stuck_invoker_hides_its_own_numbers_only(lab_home, gateway, runs):
    with against_gateway(gateway, home=lab_home, runs=runs, rps=RPS, seconds=6, invokers=2) as storm:
        folder = storm.wait_until(1.0)
        stuck = player_pids(folder)[1]
        t0_s = folder.load().t0_us / 1e6
        start_s = time.time() - t0_s
        os.kill(stuck, signal.SIGSTOP)
        time.sleep(STUCK_S)
        end_s = time.time() - t0_s
        os.kill(stuck, signal.SIGCONT)
        result = storm.end()
    looks = [tuple(map(float, line.split())) for line in result.stderr.splitlines()]
    shown = [attempted for at_s, attempted in looks if start_s + STALE_S < at_s < end_s]
    assert shown[-1] - shown[0] > RPS / 2 * (STUCK_S - STALE_S) / 2
    report = json.loads(result.stdout)
    assert (report["lost"], report["aborted"]) == ([], None)
    assert sum(one["counters"]["attempted"] for one in report["reports"]) == RPS * 6
