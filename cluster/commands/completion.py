"""What the shell offers for the options of labs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def _labs(chosen: Mapping[str, Any]) -> Iterable[str]:
    """Names of the labs that there are; the usual one is no matter whether it is."""
    from cluster import lab, state

    return dict.fromkeys((lab.DEFAULT_NAME, *state.lab_names(state.default_home())))


BY_OPTION: Mapping[str, Callable[[Mapping[str, Any]], Iterable[str]]] = {"--lab": _labs}
