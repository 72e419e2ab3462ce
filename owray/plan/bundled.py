"""Plans that come with owray, by name: series of calls that were published."""

from __future__ import annotations

from collections.abc import Mapping

from owray.plan.shapes import Steps

_LEE_2018 = """
11 12 10 13 11 12 12 13 10 12 12 11 10 14 14 16 14 16 14 14 14 15 14 14 16
18 18 19 18 17 18 19 17 18 17 17 18 17 23 24 24 24 24 21 23 20 20 20 23 25
21 23 23 28 28 26 24 29 20 24 24 22 21 42 43 36 48 41 42 43 44 36 46 49 37
41 36 41 50 41 48 45 46 42 45 54 53 46 48 42 47 21 21 20 21 25 22 29 20 22
20 27 25 27 32 32 32 33 27 26 33 40 36 37 41 37 41 40 41 42 42 54 50 57 59
57 54 54 64 61 51 49 49 46 43 42 43 40 49 40 43 39 33 39 35 35 36 32 36 32
38 32 34 34 33 28 28 34 28 26 28 27 28 28 29 29 27 22 28 27 23 18 21 15 24
17 16 23 19 22 21 32 28 29 31 30 25 31 32 25 29 37 36 39 38 36 36 38 38 36
37 30 33 33 34 34 31 31 32 34 34 28 29 27 29 27 28 28 29 26 25 51 58 52 55
56 55 59 54 54 52 60 59 67 59 67 64 64 61 64 62 74 75 67 66 78 73 77 66 72
71 80 88 77 75 88 78 88 78 77 77 66 61 67 62 55 66 61 62 67 63
"""
"""Calls in each 200 ms of the elasticity experiment of H. Lee, K. Satyam, G. Fox, "Evaluation of Production Serverless Computing
Environments", IEEE CLOUD 2018, as its published results have them (elasticity.cpu-intensive-flops-nodejs, the same series on AWS and IBM):
271 steps, 10,005 calls."""

BUNDLED: Mapping[str, Steps] = {"lee2018": Steps(tuple(map(int, _LEE_2018.split())), 0.2)}


def bundled(name: str, scale: float = 1.0, speed: float = 1.0) -> Steps | None:
    """The plan of this name with `scale` times the calls (each step's count rounded, halves up) and `speed` times as fast; None where there
    is none. Raises ValueError where no call is left."""
    steps = BUNDLED.get(name)
    if steps is None:
        return None
    scaled = Steps(tuple(int(count * scale + 0.5) for count in steps.counts), steps.step_s / speed)
    if not scaled.expected_calls():
        raise ValueError(f"{name} scaled by {scale:g} has no call")
    return scaled
